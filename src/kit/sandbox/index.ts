/** What simulations of vendors are made of. Loaded by them only, never by a running hub. */

export type { Delivery, Exchange } from './exchanges.ts';
export { parseDuration, parseFault, tellFault } from './faults.text.ts';
export { createFaults, type Fault, type Faults, seededRandom } from './faults.ts';
export { grantsOf, installOAuth, type SandboxOAuth } from './oauth.ts';
export { createPage } from './page.ts';
export { decideOnPage } from './person.ts';
export { samplePeople, sampleStaff } from './sample.ts';
export { createSandboxServer, type SandboxServer } from './server.ts';
