import { readableOf } from './connector-load.hub.ts';
import { importsOf } from './connector-load.imports.ts';
import { least, startsOf } from './connector-load.start.ts';
import { type Result, ratio, spread } from './figures.ts';
import { apart } from './hub.ts';

/** Share of what the vendor's limits or our own path allow that has to be used. */
const AIM_SHARE = 0.9;
const AIM_START = 1.1;

/**
 * What each connector costs: records a second it reads from its simulation without the vendor's limits (floor: the same
 * pages fetched through the connector and thrown away), and with them the share of what they allow; the time and memory
 * to know and to use it, each in a process of its own (floor: the kit they share); and the start of a hub that knows all
 * of them (floor: one that knows none).
 */
export async function connectorLoad(): Promise<Result> {
  const raw: Record<string, number[]> = {};
  const figures: Result['figures'] = {};
  const ratios: Record<string, number> = {};
  const names = await readableOf();
  const shares: number[] = [];
  for (const name of names) {
    const { raw: measured } = await apart(new URL('./connector-load.hub.ts', import.meta.url), 'readConnector', [name]);
    // The best of several: the others say what else the machine did.
    const of = (what: string): number => Math.max(...measured[what]!);
    for (const [what, values] of Object.entries(measured)) raw[`${name}_${what}`] = values;
    figures[`${name}_records_per_s`] = Math.round(of('records_per_s'));
    figures[`${name}_floor_per_s`] = Math.round(of('floor_per_s'));
    figures[`${name}_limited_records_per_s`] = Math.round(of('limited_records_per_s'));
    figures[`${name}_allowance_used`] = ratio(of('allowance_used'), 1);
    figures[`${name}_refused`] = of('refused');
    ratios[`${name}_by_floor`] = ratio(of('records_per_s'), of('floor_per_s'));
    // Where the limit is not what ends it, our own path is.
    const share = Math.max(of('allowance_used'), of('limited_records_per_s') / of('records_per_s'));
    ratios[`${name}_of_possible`] = ratio(share, 1);
    shares.push(of('refused') > 0 ? 0 : share);
  }
  for (const [name, values] of Object.entries(await importsOf())) {
    raw[name] = values;
    figures[name] = spread(values).p50;
  }
  const starts = await startsOf();
  raw.start_all_ms = starts.all;
  raw.start_none_ms = starts.none;
  figures.start_all_ms = spread(starts.all);
  figures.start_none_ms = spread(starts.none);
  ratios.start_all_by_none = ratio(least(starts.all), least(starts.none));
  return {
    name: 'connector-load',
    what: 'Records a second each connector reads from its simulation, without limits and with them; time and memory of each; the start of a hub that knows all of them.',
    figures,
    ratios,
    aim: 'with limits 0.9 of what they or our path allow and nothing refused; all connectors start within 10 % of none',
    met: shares.every((share) => share >= AIM_SHARE) && ratios.start_all_by_none <= AIM_START,
    raw,
  };
}
