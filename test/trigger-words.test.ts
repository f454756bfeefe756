import { expect, test } from 'vitest';
import type { Change } from '../src/model/types.ts';
import { fieldOf, type Operator, satisfies, tagsOf, turned } from '../src/triggers/match.ts';
import { isWordless, signalOf } from '../src/triggers/signals.ts';
import { Stages } from '../src/triggers/stages.ts';

const change = (before: object | null, after: object, op = 'updated'): Change =>
  ({ op, fields: Object.keys(after), before, after }) as never;

test('words: spelling of case, spaces and dashes makes no difference, other words do', () => {
  for (const word of ['Service Completed', 'service_completed', 'ServiceCompleted', 'SERVICE-COMPLETED'])
    expect(satisfies('equals', word, ['service completed']), word).toBe(true);
  for (const word of ['Service', 'Not service completed', '', null, undefined])
    expect(satisfies('equals', word, ['service completed']), String(word)).toBe(false);
});

test('words: each operator says what its name says', () => {
  const cases: [Operator, unknown, string[], boolean][] = [
    ['equals', true, ['true', 'yes'], true],
    ['equals', ['A', 'B'], ['b'], true],
    ['not_equals', 'a', ['b', 'c'], true],
    ['not_equals', 'c', ['b', 'c'], false],
    ['not_equals', null, ['b'], true],
    ['contains', 'Overdue since May', ['overdue'], true],
    ['contains', ['Gold'], ['gol'], false],
    ['contains', null, ['a'], false],
    ['not_contains', ['Gold'], ['gold'], false],
    ['at_least', '10', ['9'], true],
    ['at_least', '9.5', ['10'], false],
    ['at_least', '2026-03-02', ['2026-03-01'], true],
    ['at_least', null, ['0'], false],
    ['at_most', '9', ['10'], true],
    ['at_most', 11, ['10'], false],
    ['at_most', null, ['10'], false],
    ['is_set', 0, [], true],
    ['is_set', '', [], false],
    ['is_empty', [], [], true],
    ['is_empty', 'x', [], false],
  ];
  for (const [operator, value, wanted, expected] of cases)
    expect(satisfies(operator, value, wanted), `${operator} ${String(value)} ${wanted}`).toBe(expected);
});

test('words: a custom field is found as people write it, also where platforms stand apart', () => {
  expect(fieldOf({ custom: { account_status: 'x' } }, 'custom.Account Status')).toBe('x');
  const golden = { custom: { hubspot: { account_status: 'a' }, webhook: { account_status: 'b', plan: 'c' } } };
  expect(fieldOf(golden, 'custom.account_status')).toBe('a');
  expect(fieldOf(golden, 'custom.webhook.account_status')).toBe('b');
  expect(fieldOf(golden, 'custom.plan')).toBe('c');
  expect(fieldOf(golden, 'custom.other')).toBe(null);
  expect(fieldOf({}, 'custom.other')).toBe(null);
  expect(tagsOf('Service, Installation;x')).toEqual(['Service', 'Installation', 'x']);
});

test('words: another custom field that changed is no change of this one', () => {
  const both = change({ custom: { a: 1, b: 1 } }, { custom: { a: 1, b: 2 } });
  expect(turned(both, 'custom.a')).toBeUndefined();
  expect(turned(both, 'custom.b')).toEqual({ before: 1, after: 2 });
});

test('stages: ids and names mean the same, a new name moves nothing, and the pipeline is told by either', () => {
  const stages = new Stages([
    { stage: '17', label: 'Installed', pipeline: 'p1', pipeline_label: 'Sales' },
    { stage: '18', label: 'Installed', pipeline: 'p2', pipeline_label: 'Service' },
  ]);
  expect(stages.named(['installed'])).toEqual(expect.arrayContaining(['17', '18']));
  expect(stages.named(['17'])).toContain('Installed');
  const row = { native_status: '17', pipeline: 'Sales' };
  expect(stages.isIn(row, ['p1']) && stages.isIn(row, ['Sales']) && stages.isIn(row, [])).toBe(true);
  expect(stages.isIn(row, ['p2'])).toBe(false);
  expect(stages.move(change({ stage: 'Set up' }, { stage: 'Installed' }), row)).toBeUndefined();
  expect(stages.move(change({ native_status: '18' }, { native_status: '17' }), row)).toEqual({
    from: ['18'],
    to: ['17'],
  });
  // Where the native status is no stage, the stage itself tells.
  expect(stages.move(change({ stage: 'A' }, { stage: 'B' }), { native_status: 'open' })).toEqual({
    from: ['A'],
    to: ['B'],
  });
  expect(
    stages.move(change({ native_status: 'open' }, { native_status: 'won' }), { native_status: 'won' }),
  ).toBeUndefined();
});

test('signals: only what the customer did by themselves counts, by what platforms call it', () => {
  const told = { kind: 'message', direction: 'in' };
  const cases: [object, string | undefined][] = [
    [told, 'message'],
    [{ ...told, kind: 'email' }, 'email_reply'],
    [{ ...told, kind: 'call' }, 'call'],
    [{ ...told, kind: 'meeting' }, 'follow_up_request'],
    [{ ...told, channel: 'Web Form' }, 'web_form'],
    [{ ...told, channel: 'live_chat' }, 'chat'],
    [{ ...told, kind: 'email', status: 'clicked' }, 'link_click'],
    [{ ...told, channel: 'page_view' }, 'web_visit'],
    [{ ...told, kind: 'task' }, undefined],
    [{ ...told, kind: 'note' }, undefined],
    [{ ...told, direction: 'out' }, undefined],
    [{ ...told, direction: null }, undefined],
    [{ ...told, automatic: true }, undefined],
    [{ ...told, body: ' Stop. ' }, undefined],
  ];
  for (const [activity, signal] of cases) expect(signalOf(activity as never), JSON.stringify(activity)).toBe(signal);
  expect(isWordless({ ...told, channel: 'click' })).toBe(true);
  expect(isWordless(told)).toBe(false);
});
