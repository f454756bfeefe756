import type { ShownMember } from './members.ts';

/** How somebody of a campaign stands, in words. */
export function notePeople(member: Pick<ShownMember, 'state' | 'due_at' | 'detail' | 'run_state' | 'run_end'>): string {
  switch (member.state) {
    case 'waiting':
      return member.due_at ? `enters at ${member.due_at.toISOString()} or later` : 'waits for a turn';
    case 'held_out':
      return 'left out on purpose, to compare with';
    case 'entered':
      return member.run_end
        ? `entered; the enrolment ended: ${member.run_end}`
        : `entered; the enrolment is ${member.run_state ?? 'gone'}`;
    case 'refused':
      return `refused: ${member.detail ?? 'for no reason that was kept'}`;
    case 'removed':
      return `taken out: ${member.detail ?? ''}`;
  }
}
