import { afterAll, beforeAll, describe, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { vendorTruth } from '../specs/suite.ts';
import { CASES } from './cases.ts';
import { findConnector, type House, openHouse, startVendor } from './world.ts';

/**
 * Tries a connector with every case of the suite, then compares all that went over the wire with the vendor's own
 * description. What it has no such thing for is skipped, with the reason in its name.
 */
export async function conformance(name: string): Promise<void> {
  const connector = await findConnector(name);
  // What a simulation offers says which cases apply; the one asked here plays no part in them.
  const asked = await startVendor(connector, systemClock);
  const tried = CASES.map((one) => ({ ...one, applicable: one.applies(connector, asked.trial) }));
  await asked.stop();

  describe('conformance', async () => {
    let house: House;
    beforeAll(async () => {
      house = await openHouse(connector);
    });
    afterAll(() => house?.stop());

    for (const { name: promise, capability, applicable, limits, run } of tried) {
      if (applicable !== true) {
        const meta = { conformance: { connector: name, capability, notApplicable: applicable } };
        test(`${name}: ${promise} (not applicable: ${applicable})`, { meta }, ({ skip }) => skip(applicable));
        continue;
      }
      test(`${name}: ${promise}`, { meta: { conformance: { connector: name, capability } } }, async () => {
        const world = await house.begin(limits);
        try {
          await run(world);
        } finally {
          await world.end();
        }
      });
    }
    await vendorTruth(name, () => house.wire, { part: 'conformance' });
  });
}
