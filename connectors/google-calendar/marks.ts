/** Name of the property of an event that holds our id; only our own app sees it. */
export const MARK = 'rapport';

/** Longest notes Google takes (dossier, Field map: Task). */
const NOTES = 8192;

const LINE = /\[rapport ([0-9a-f-]{36})\]\s*$/;

/** Notes of a task with our id in their last line: tasks have no hidden properties. */
export function notesWith(body: string | undefined, requestId: string): string {
  const mark = `[rapport ${requestId}]`;
  return body ? `${body.slice(0, NOTES - mark.length - 2)}\n\n${mark}` : mark;
}

/** Our id in the notes of a task. */
export const requestOfNotes = (notes: string | undefined): string | undefined => LINE.exec(notes ?? '')?.[1];

/** The id of the event of a request: letters and digits as Google wants them, the same for every try. */
export const eventIdOf = (requestId: string): string => requestId.replaceAll('-', '').toLowerCase();
