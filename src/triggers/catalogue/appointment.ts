/** A job with a time, as triggers tell of it. */
export interface AppointmentRow {
  entity_id: string;
  remote_id: string;
  title: string | null;
  kind: string | null;
  customer_id: string | null;
  status: string;
  scheduled_at: Date;
}

export const APPOINTMENT = 'j.entity_id, j.remote_id, j.title, j.kind, j.customer_id, j.status, j.scheduled_at';

export const appointmentLabel = (row: Pick<AppointmentRow, 'title' | 'remote_id'>): string =>
  `appointment ${row.title ?? row.remote_id}`;
