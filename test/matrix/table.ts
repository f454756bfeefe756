import { systemClock } from '../../src/base/clock.ts';
import type { Connector } from '../../src/kit/index.ts';
import { loadRegistry } from '../../src/registry.ts';
import { CASES } from '../conformance/cases.ts';
import { startVendor } from '../conformance/world.ts';

/** What of one capability a connector is tried with, and why not with the rest. */
interface Cell {
  tried: number;
  reasons: string[];
}

/** A connector with its cells by capability. */
interface Line {
  connector: Connector;
  cells: Map<string, Cell>;
}

/** The suite's capabilities, in the order of its cases. */
const capabilities = (): string[] => [...new Set(CASES.map(({ capability }) => capability))];

/** Which cases each connector of the registry is tried with: cases are data, so nothing has to run for it. */
async function linesOf(): Promise<Line[]> {
  const lines: Line[] = [];
  for (const connector of (await loadRegistry()).all()) {
    const vendor = await startVendor(connector, systemClock);
    const cells = new Map(capabilities().map((name): [string, Cell] => [name, { tried: 0, reasons: [] }]));
    for (const { capability, applies } of CASES) {
      const cell = cells.get(capability)!;
      const applicable = applies(connector, vendor.trial);
      if (applicable === true) cell.tried += 1;
      else cell.reasons.push(applicable);
    }
    await vendor.stop();
    lines.push({ connector, cells });
  }
  return lines;
}

/** The README's table: how many cases each connector is tried with, and under it why the others do not apply. */
export async function matrixTable(): Promise<string> {
  const names = capabilities();
  const reasons: string[] = [];
  const noteOf = (reason: string): number => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return reasons.indexOf(reason) + 1;
  };
  const shown = ({ tried, reasons: why }: Cell): string => {
    const notes = [...new Set(why.map(noteOf))].map((note) => `<sup>${note}</sup>`).join(' ');
    return `${tried === 0 ? '-' : tried}${notes ? ` ${notes}` : ''}`;
  };
  const rows = (await linesOf()).map(
    ({ connector, cells }) => `| ${[connector.name, ...names.map((name) => shown(cells.get(name)!))].join(' | ')} |`,
  );
  return [
    `| platform | ${names.join(' | ')} |`,
    `|---|${names.map(() => '---').join('|')}|`,
    ...rows,
    '',
    ...reasons.map((reason, at) => `${at + 1}. ${reason}`),
  ].join('\n');
}
