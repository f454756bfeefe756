export interface Attendee {
  email: string;
  displayName?: string;
  self?: boolean;
  organizer?: boolean;
  responseStatus: string;
  comment?: string;
}

export type Event = Record<string, unknown> & {
  id: string;
  status: string;
  updated: string;
  attendees?: Attendee[];
};
