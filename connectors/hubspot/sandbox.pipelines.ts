export interface Stage {
  id: string;
  label: string;
  displayOrder: number;
  archived: boolean;
  metadata: Record<string, string>;
  writePermissions: 'CRM_PERMISSIONS_ENFORCEMENT' | 'READ_ONLY' | 'INTERNAL_ONLY';
  createdAt: string;
  updatedAt: string;
}

export interface Pipeline {
  id: string;
  label: string;
  displayOrder: number;
  archived: boolean;
  stages: Stage[];
  createdAt: string;
  updatedAt: string;
}

const EARLY = { createdAt: '2024-01-01T00:00:00.000Z', updatedAt: '2024-01-01T00:00:00.000Z' };

const stages = (...list: [string, string, Record<string, string>][]): Stage[] =>
  list.map(([id, label, metadata], at) => ({
    id,
    label,
    displayOrder: at,
    archived: false,
    metadata,
    writePermissions: 'CRM_PERMISSIONS_ENFORCEMENT',
    ...EARLY,
  }));

/** Deal and ticket pipelines of a new account. */
export const defaultPipelines = (): Record<string, Pipeline[]> => ({
  deals: [
    {
      id: 'default',
      label: 'Sales',
      displayOrder: 0,
      archived: false,
      ...EARLY,
      stages: stages(
        ['appointmentscheduled', 'Appointment scheduled', { isClosed: 'false', probability: '0.2' }],
        ['contractsent', 'Contract sent', { isClosed: 'false', probability: '0.9' }],
        ['closedwon', 'Closed won', { isClosed: 'true', probability: '1.0' }],
        ['closedlost', 'Closed lost', { isClosed: 'true', probability: '0.0' }],
      ),
    },
  ],
  tickets: [
    {
      id: '0',
      label: 'Support',
      displayOrder: 0,
      archived: false,
      ...EARLY,
      stages: stages(
        ['1', 'New', { ticketState: 'OPEN' }],
        ['2', 'Waiting on contact', { ticketState: 'OPEN' }],
        ['4', 'Closed', { ticketState: 'CLOSED' }],
      ),
    },
  ],
});
