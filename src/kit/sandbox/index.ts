/** What simulations of vendors are made of. Loaded by them only, never by a running hub. */
export { createFaults, type Fault, type Faults, seededRandom } from './faults.ts';
export { type Grant, installOAuth, type SandboxOAuth } from './oauth.ts';
export { decideOnPage } from './person.ts';
export { createSandboxServer, type Delivery, type Exchange, type SandboxServer } from './server.ts';
