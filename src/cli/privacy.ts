import { type Command, Option } from 'commander';
import { findCustomer } from '../model/store.ts';
import { type CustomerDate, type DateKind, datesOf } from '../model/yearly.ts';
import { beginErasure } from '../privacy/begin.ts';
import { liftErasure, workOff } from '../privacy/erase.ts';
import { exportPerson } from '../privacy/export.ts';
import { type Erasure, GROUNDS, type Ground } from '../privacy/schema.ts';
import { listErasures, toErasures } from '../privacy/store.ts';
import { clearDate, setDate } from '../sync/dates.ts';
import { type CommonOptions, command, examples, print, table, tenantOf, withHub } from './context.ts';
import { customerId } from './identity.ts';

const dateTable = (dates: readonly CustomerDate[]): string =>
  table(
    dates.map((date) => ({
      day: date.kind.replace('_', ' '),
      value: date.value ?? 'unknown',
      from: date.origin ?? '',
      by: date.setBy ?? '',
    })),
    ['day', 'value', 'from', 'by'],
  );

/** Commands about what is held of a person: their days, and what the law lets them ask for. */
export function privacyCommands(program: Command): void {
  program
    .command('birthday')
    .description(
      'Show a customer’s birthday and anniversaries, or set one by hand.\nWhat is set by hand counts before every platform until it is taken back with --clear.',
    )
    .argument('<customer>', 'an id, e-mail address, phone number or name')
    .option('--set <day>', 'YYYY-MM-DD, or --MM-DD where the year is not known')
    .option('--clear', 'give the day back to the platforms')
    .option('--of <kind>', 'which day: birthday, first_service or first_installation', 'birthday')
    .option('--by-customer', 'the customer said so themselves')
    .addHelpText(
      'after',
      examples(
        'rapport birthday ann@example.com',
        'rapport birthday ann@example.com --set 1987-02-14',
        'rapport birthday ann@example.com --set=--02-14',
        'rapport birthday ann@example.com --clear',
      ),
    )
    .action(
      command(async (text: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<
          CommonOptions & { set?: string; clear?: boolean; of: DateKind; byCustomer?: boolean }
        >();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const id = await customerId(hub, tenantId, text);
          const source = options.byCustomer ? 'customer' : 'staff';
          const entry = { kind: options.of, value: options.set ?? '', source, by: 'cli' } as const;
          const dates = options.set
            ? (await setDate(hub.deps, tenantId, id, entry)).dates
            : options.clear
              ? (await clearDate(hub.deps, tenantId, id, options.of, 'cli')).dates
              : await hub.db.tenant(tenantId, async (tx) => datesOf(tx, (await findCustomer(tx, id))!));
          print(options, { customer: id, dates }, () => dateTable(dates));
        });
      }),
    );

  program
    .command('erase')
    .description(
      'Erase a person for good, and print the receipt.\nRecords, history, messages and scores go; amounts and days of invoices stay as numbers of nobody. It cannot be undone.',
    )
    .argument('<customer>', 'an id, e-mail address, phone number or name')
    .requiredOption('--confirm <name or e-mail>', 'the name or e-mail address of the person, typed out')
    .addOption(
      new Option('--ground <ground>', 'why, by article 17 (1) GDPR').choices(GROUNDS).default('request_of_the_person'),
    )
    .addHelpText('after', examples('rapport erase ann@example.com --confirm "Ann Miller"'))
    .action(
      command(async (text: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { confirm: string; ground: Ground }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const id = await customerId(hub, tenantId, text);
          const request = { ground: options.ground, confirm: options.confirm, by: 'cli' };
          const begun = await beginErasure(hub.deps, tenantId, id, request);
          const row = await workOff(hub.deps, tenantId, begun.id);
          const [receipt] = await hub.db.tenant(tenantId, (tx) => toErasures(tx, [row]));
          print(options, receipt, () => receiptText(receipt!));
        });
      }),
    );

  program
    .command('erasures')
    .description('Receipts of people who were erased, or let one of them come back.')
    .option('--lift <id>', 'take what platforms send of this person again from now on; what was erased stays erased')
    .addHelpText('after', examples('rapport erasures', 'rapport erasures --lift 01a2...'))
    .action(
      command(async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions & { lift?: string }>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const { lift } = options;
          if (lift) {
            const receipt = await liftErasure(hub.deps, tenantId, lift, 'cli');
            return print(
              options,
              receipt,
              () => 'They can come back: read the platforms again with "rapport sync --full".',
            );
          }
          const items = await hub.db.tenant(tenantId, async (tx) =>
            toErasures(tx, await listErasures(tx, undefined, LISTED)),
          );
          print(options, items, () =>
            items.length === 0
              ? 'Nobody was erased.'
              : table(
                  items.map((item) => ({ ...item, at: item.requestedAt, 'came back': item.blocked.hits })),
                  ['id', 'at', 'ground', 'state', 'came back'],
                ),
          );
        });
      }),
    );

  program
    .command('export-person')
    .description('Everything held about a person, as one JSON document on standard output.')
    .argument('<customer>', 'an id, e-mail address, phone number or name')
    .addHelpText('after', examples('rapport export-person ann@example.com > ann.json'))
    .action(
      command(async (text: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<CommonOptions>();
        await withHub(async (hub) => {
          const tenantId = await tenantOf(hub, options);
          const id = await customerId(hub, tenantId, text);
          for await (const piece of await exportPerson(hub.deps, tenantId, id, 'cli')) process.stdout.write(piece);
        });
      }),
    );
}

const LISTED = 200;

function receiptText(receipt: Erasure): string {
  const rows = Object.entries(receipt.rows).map(([name, count]) => ({ table: name, rows: count }));
  const state =
    receipt.state === 'done'
      ? 'Erased.'
      : 'Begun; a platform has a message in hand just now, and the hub ends it when that is over.';
  return `${state} Receipt ${receipt.id}\n${table(rows, ['table', 'rows'])}\n\nOut of reach\n${receipt.outOfReach.map((line) => `- ${line}`).join('\n')}`;
}
