import type { explainCustomer } from '../actions/explain.ts';
import { counted } from './context.ts';

type Explained = Awaited<ReturnType<typeof explainCustomer>>;
export function explained(answer: Explained): string {
  const { customer, clock } = answer;
  const lines = [
    `${customer.name ?? customer.id} (${[customer.email, customer.phone].filter(Boolean).join(', ') || 'no address'})`,
    `Their clock: ${clock.localTime.slice(0, 16).replace('T', ' ')} (${clock.zones.slice(0, 3).join(', ')}${clock.zones.length > 3 ? ', ...' : ''}, from ${clock.from})`,
  ];
  const owes = answer.owes as { total?: string; count?: number; oldest_days?: number } | null;
  lines.push(
    owes
      ? `Owes ${owes.total} on ${counted(owes.count ?? 0, 'overdue invoice')}, the oldest ${owes.oldest_days} days.`
      : 'Owes nothing that is overdue.',
  );
  for (const enrolment of answer.enrolments) {
    lines.push(
      '',
      `${enrolment.sequence}: ${enrolment.state}${enrolment.endReason ? ` (${enrolment.endReason})` : ` on step ${enrolment.step}${enrolment.waitingFor ? `, waiting for ${enrolment.waitingFor}` : ''}${enrolment.nextAt ? ` until ${enrolment.nextAt}` : ''}`}`,
    );
    for (const step of enrolment.steps as { step_id: string; outcome: string | null; detail: string | null }[])
      lines.push(`  ${step.step_id}: ${step.outcome ?? 'here now'}${step.detail ? ` (${step.detail})` : ''}`);
    if (enrolment.next) {
      lines.push(`  Next, ${enrolment.next.step}: would ${enrolment.next.verdict} now`);
      for (const gate of enrolment.next.gates)
        lines.push(`    ${gate.verdict === 'allow' ? 'yes ' : gate.verdict.padEnd(5)} ${gate.gate}: ${gate.detail}`);
    }
  }
  if (answer.actions.length > 0)
    lines.push(
      '',
      'What happened',
      ...answer.actions.map(
        (action) =>
          `  ${action.at.slice(0, 16)} ${action.kind} by ${action.channel}: ${action.state}${action.reason ? ` (${action.reason}: ${action.detail ?? ''})` : ''}${action.url ? ` ${action.url}` : ''}`,
      ),
    );
  if (answer.occurrences.length > 0)
    lines.push(
      '',
      'What was noticed',
      ...(answer.occurrences as { trigger: string; subject: string; occurredOn: string; outcome: string }[]).map(
        (row) => `  ${row.occurredOn} ${row.trigger} (${row.subject}): ${row.outcome}`,
      ),
    );
  if (answer.story.length > 0)
    lines.push(
      '',
      'The whole story',
      ...answer.story.map(({ at, text }) => `  ${at.slice(0, 16).replace('T', ' ')} ${text}`),
    );
  if (answer.notStarted.length > 0)
    lines.push('', 'What started nothing', ...answer.notStarted.map(({ trigger, why }) => `  ${trigger}: ${why}`));
  return lines.join('\n');
}
