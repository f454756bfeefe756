export type Properties = Record<string, string | null>;

export interface HubSpotRecord {
  id: string;
  properties: Properties;
  createdAt: string;
  updatedAt: string;
  /** The same in milliseconds. */
  at: number;
  archived: boolean;
  archivedAt?: string;
}
