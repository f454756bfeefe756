import { ACCESS } from './attacks.access.ts';
import { ACTIONS } from './attacks.actions.ts';
import { CAMPAIGNS } from './attacks.campaigns.ts';
import { CARE } from './attacks.care.ts';
import { CLOCK } from './attacks.clock.ts';
import { COMPLETENESS } from './attacks.completeness.ts';
import { CONDITIONS } from './attacks.conditions.ts';
import { CONSENT } from './attacks.consent.ts';
import { ENGINE } from './attacks.engine.ts';
import { EVENTS } from './attacks.events.ts';
import { FORECAST } from './attacks.forecast.ts';
import { IDENTITY } from './attacks.identity.ts';
import { MODEL } from './attacks.model.ts';
import { PRIVACY } from './attacks.privacy.ts';
import { REMAP } from './attacks.remap.ts';
import { SCORING } from './attacks.scoring.ts';
import { SEGMENTS } from './attacks.segments.ts';
import { SEQUENCES } from './attacks.sequences.ts';
import { SURVEYS } from './attacks.surveys.ts';
import { TEXTS } from './attacks.texts.ts';
import { WRITEBACK } from './attacks.writeback.ts';
import type { Attack } from './functions.ts';

/** How to call every function that works in a tenant's transaction, by file and name. */
export const ATTACKS: ReadonlyMap<string, Attack> = new Map([
  ...ACCESS,
  ...MODEL,
  ...SCORING,
  ...SEQUENCES,
  ...ACTIONS,
  ...CARE,
  ...CLOCK,
  ...CONSENT,
  ...COMPLETENESS,
  ...REMAP,
  ...IDENTITY,
  ...CONDITIONS,
  ...EVENTS,
  ...SEGMENTS,
  ...PRIVACY,
  ...TEXTS,
  ...SURVEYS,
  ...WRITEBACK,
  ...FORECAST,
  ...CAMPAIGNS,
  ...ENGINE,
]);
