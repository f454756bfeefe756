import { expect, test } from 'vitest';
import { birthdayFault } from '../src/base/birthday.ts';
import { toBirthday } from '../src/mapping/birthday.ts';
import { compileMapping } from '../src/mapping/compile.ts';
import type { Env } from '../src/mapping/compiler.ts';
import type { MappingFile } from '../src/mapping/schema.ts';
import { guessImportMapping } from '../src/sync/imports/guess.ts';

const TODAY = '2026-06-10';
const ENV: Env = {
  zone: 'America/New_York',
  today: TODAY,
  country: 'US',
  account: '1',
  connector: 'made-up',
  lookup: () => undefined,
};

const read = (value: unknown, format?: string): string | null => toBirthday(value, ENV.zone, TODAY, format);

/** What a mapping makes of one contact: its values and what did not fit. */
async function mapped(
  fields: Record<string, unknown>,
  record: unknown,
  env: Partial<Env> = {},
): Promise<{ values: Record<string, unknown>; issues: { field: string; message: string; critical: boolean }[] }> {
  const { mapping, errors } = compileMapping({ streams: { people: { contact: { fields } } } } as MappingFile);
  expect(errors).toEqual([]);
  const { entities, issues } = await mapping.streams.get('people')!.run(record, { ...ENV, ...env });
  return { values: entities[0]!.values, issues };
}

test('birthday: a day of the calendar is kept, with its year where it is known', () => {
  for (const [written, kept] of [
    ['1987-02-14', '1987-02-14'],
    ['1988-02-29', '1988-02-29'],
    ['--02-14', '--02-14'],
    ['--0214', '--02-14'],
    ['--02-29', '--02-29'],
    // The years of Apple, of .NET and of MySQL for a birthday without one; the first has a 29 February, the second not.
    ['1604-02-29', '--02-29'],
    ['0001-02-29', '--02-29'],
    ['0000-12-31', '--12-31'],
    ['0001-07-04T00:00:00', '--07-04'],
    [TODAY, TODAY],
    ['1900-01-01', '1900-01-01'],
    [540_259_200_000, '1987-02-14'],
    // Midnight in Greenwich is the evening before in New York, but a birthday is a day.
    ['1987-02-14T00:00:00.000Z', '1987-02-14'],
    ['1987-02-14T00:00:00+02:00', '1987-02-14'],
    ['1987-02-14 00:00:00', '1987-02-14'],
    // A time of day is a moment, and belongs to the day it was for the business.
    ['1987-02-14T03:30:00Z', '1987-02-13'],
    ['', null],
    [null, null],
  ] as const)
    expect(read(written), String(written)).toBe(kept);
});

test('birthday: what is no birthday is refused with the reason', () => {
  for (const [written, reason] of [
    ['1987-02-29', /is not a day of the calendar/],
    ['1987-02-31', /is not a day of the calendar/],
    ['--02-31', /is not a day of the calendar/],
    ['--02-30', /is not a day of the calendar/],
    ['0001-02-31', /is not a day of the calendar/],
    ['1900-02-29', /is not a day of the calendar/],
    ['1987-00-10', /is not a day of the calendar/],
    ['1987-13-10', /is not a day of the calendar/],
    ['0001-01-01', /where there is no date/],
    ['0001-01-01T00:00:00', /where there is no date/],
    ['0000-00-00', /where there is no date/],
    ['2026-06-11', /in the future/],
    ['2062-02-14', /in the future/],
    ['1899-12-31', /before 1900/],
    ['0002-02-14', /before 1900/],
    ['02/14', /expected a date/],
    ['02-14', /expected a date/],
    ['soon', /expected a date/],
    [{ day: 1 }, /expected a date/],
  ] as const)
    expect(() => read(written), JSON.stringify(written)).toThrow(reason);
});

test('birthday: a format says how it is written, with or without the year', () => {
  for (const [written, format, kept] of [
    ['02/14', 'MM/dd', '--02-14'],
    ['2/29', 'M/d', '--02-29'],
    ['14.02.', 'dd.MM.', '--02-14'],
    ['29.2.', 'd.M.', '--02-29'],
    ['14 Feb', 'd MMM', '--02-14'],
    ["day 14 of '02", "'day' d 'of' ''MM", '--02-14'],
    ['14.02.1987', 'd.M.yyyy', '1987-02-14'],
    ['02/14/87', 'M/d/yy', '1987-02-14'],
    // Nobody is born in 2045 yet.
    ['02/14/45', 'M/d/yy', '1945-02-14'],
    ['02/14/26', 'M/d/yy', '2026-02-14'],
    ['02/14/1604', 'M/d/yyyy', '--02-14'],
  ] as const)
    expect(read(written, format), written).toBe(kept);
  for (const [written, format] of [
    ['02/30', 'MM/dd'],
    ['31.02.', 'dd.MM.'],
    ['14/02', 'MM/dd'],
    ['02/29/1987', 'M/d/yyyy'],
  ] as const)
    expect(() => read(written, format), written).toThrow(/expected a birthday written as/);
});

test('birthday: what a person enters has one form only', () => {
  for (const good of ['1987-02-14', '--02-29', TODAY]) expect(birthdayFault(good, TODAY), good).toBeUndefined();
  for (const [bad, fault] of [
    ['02-14', 'must be written'],
    ['--2-14', 'must be written'],
    ['1987-2-14', 'must be written'],
    ['1987-02-14T00:00:00Z', 'must be written'],
    ['-1987-02-14', 'must be written'],
    ['1604-02-14', 'before 1900'],
    ['1987-02-29', 'not a day'],
    ['2026-06-11', 'in the future'],
  ] as const)
    expect(birthdayFault(bad, TODAY), bad).toContain(fault);
});

test('birthday: a mapping reads it by date or as it is, and a wrong one costs only itself', async () => {
  const name = { path: 'n' };
  for (const [directive, written, kept] of [
    [{ date: { path: 'b' } }, '1604-02-14', '--02-14'],
    [{ date: { of: { path: 'b' }, format: 'MM/dd' } }, '02/14', '--02-14'],
    [{ first: [{ path: 'none' }, { date: { of: { path: 'b' }, format: 'd.M.' } }] }, '14.2.', '--02-14'],
    [{ path: 'b' }, '--0214', '--02-14'],
  ] as const)
    expect((await mapped({ name, birthday: directive }, { n: 'Ann', b: written })).values.birthday).toBe(kept);
  const { values, issues } = await mapped({ name, birthday: { date: { path: 'b' } } }, { n: 'Ann', b: '1987-02-31' });
  expect(values).toEqual({ name: 'Ann', birthday: null });
  expect(issues).toMatchObject([
    { field: 'birthday', message: expect.stringContaining('not a day of the calendar'), critical: false },
  ]);
});

test('birthday: no other date can be without a year', () => {
  const date = { date: { of: { path: 'd' }, format: 'MM/dd' } };
  const file = { streams: { bills: { invoice: { fields: { status: 'open', due_on: date } } } } };
  expect(compileMapping(file as unknown as MappingFile).errors).toEqual([
    { path: 'streams.bills.invoice.fields.due_on.date.format', message: expect.stringContaining('only a birthday') },
  ]);
});

test('birthday: an import finds out how a column of birthdays is written', () => {
  const guess = (...born: string[]): unknown =>
    guessImportMapping(
      'people',
      'contact',
      ['id', 'birthday'],
      born.map((birthday) => ({ id: '1', birthday })),
    ).streams.people!.contact!.fields.birthday;
  const of = { path: 'birthday' };
  expect(guess('14.02.', '01.03.')).toEqual({ date: { of, format: 'd.M.' } });
  expect(guess('14.02')).toEqual({ date: { of, format: 'd.M' } });
  expect(guess('2/14', '1/2')).toEqual({ date: { of, format: 'M/d' } });
  expect(guess('14/2', '1/2')).toEqual({ date: { of, format: 'd/M' } });
  expect(guess('1/2')).toEqual({ date: of });
  expect(guess('2/14/1987')).toEqual({ date: { of, format: 'M/d/yyyy' } });
  expect(guess('1987-02-14')).toEqual({ date: of });
});

test('phone: without a country it is read by the country of the record, else of the business', async () => {
  const phone = { phone: { path: 'p' } };
  const german = { p: '030 1234567', c: 'Germany' };
  expect((await mapped({ phone, country: { country: { path: 'c' } } }, german)).values.phone).toBe('+49301234567');
  // Whatever the order of the fields.
  expect((await mapped({ country: { path: 'c' }, phone }, german)).values.phone).toBe('+49301234567');
  expect((await mapped({ phone, country: { path: 'c' } }, { p: '(212) 555-0100' })).values.phone).toBe('+12125550100');
  // A country of the number's own, and one the mapping names for it, come first.
  expect((await mapped({ phone, country: { path: 'c' } }, { ...german, p: '+43 1 234567' })).values.phone).toBe(
    '+431234567',
  );
  const named = { phone: { of: { path: 'p' }, country: 'AT' } };
  expect((await mapped({ phone: named, country: { path: 'c' } }, { ...german, p: '01 234567' })).values.phone).toBe(
    '+431234567',
  );
});

test('phone: a number no country can be found for is refused with the reason, and the contact stays', async () => {
  const fields = { name: { path: 'n' }, phone: { phone: { path: 'p' } } };
  const { values, issues } = await mapped(fields, { n: 'Ann', p: '555 0100 22' }, { country: undefined });
  expect(values).toEqual({ name: 'Ann', phone: null });
  expect(issues).toMatchObject([{ field: 'phone', message: expect.stringContaining('with its country code') }]);
});

test('phone: what a mapping puts there by any other way is read as a number too', async () => {
  expect((await mapped({ phone: { path: 'p' } }, { p: '(212) 555-0100' })).values.phone).toBe('+12125550100');
  expect((await mapped({ phone: { path: 'p' } }, { p: 'call me' })).issues).toMatchObject([{ field: 'phone' }]);
  const phones = { list: { of: { path: 'p' }, split: ';' } };
  const several = await mapped({ phones }, { p: '(212) 555-0100; none; +49 30 1234567' });
  expect(several).toMatchObject({ values: { phones: ['+12125550100', '+49301234567'] }, issues: [] });
  expect((await mapped({ phones }, { p: 'none; nobody' })).issues).toMatchObject([{ field: 'phones' }]);
});
