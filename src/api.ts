import type { AccessDeps } from './access/identity.ts';
import { apiKeyRoutes } from './access/key.routes.ts';
import { accessRoutes } from './access/routes.ts';
import type { ActionDeps } from './actions/deps.ts';
import { channelsOf, choiceDeps, optOutDeps, passedOn } from './actions/optouts.ts';
import { oversightRoutes } from './actions/oversight.routes.ts';
import { missingOf } from './actions/playbooks.ts';
import { actionRoutes } from './actions/routes.ts';
import { standingOf } from './actions/standing.ts';
import { surveyDeps } from './actions/surveys.ts';
import { textRoutes } from './actions/texts.routes.ts';
import { unfreeze } from './actions/transitions.ts';
import { messagesTo } from './actions/why.ts';
import { settingMistakes } from './actions/writeback.setting.ts';
import { auditRoutes } from './audit/routes.ts';
import type { Metrics } from './base/metrics.ts';
import { askForBirthday } from './birthdays.ts';
import { campaignMemberRoutes } from './campaigns/member.routes.ts';
import { resultRoutes } from './campaigns/results.routes.ts';
import { campaignRoutes } from './campaigns/routes.ts';
import { conditionRoutes } from './conditions/routes.ts';
import { connectionCareRoutes } from './connections/care.routes.ts';
import { connectionRoutes } from './connections/routes.ts';
import { recipientRoutes } from './consent/page.routes.ts';
import { consentRoutes } from './consent/routes.ts';
import { forecastRoutes } from './forecast/forecast.routes.ts';
import { shadowRoutes } from './forecast/shadow.routes.ts';
import type { App } from './http/app.ts';
import { browserRoutes } from './http/browser.ts';
import { hookRoutes } from './http/hooks.ts';
import { systemRoutes } from './http/system.ts';
import { mappingRoutes } from './mapping/routes.ts';
import { dateRoutes } from './model/dates.routes.ts';
import { identityRoutes } from './model/identity.routes.ts';
import { modelRoutes } from './model/routes.ts';
import { privacyRoutes } from './privacy/routes.ts';
import { scoreRoutes } from './scoring/routes.ts';
import { segmentRoutes } from './segments/routes.ts';
import { segmentNames } from './segments/store.ts';
import { enrolmentRoutes } from './sequences/enrolment.routes.ts';
import { holdRoutes } from './sequences/hold.routes.ts';
import { peopleRoutes } from './sequences/people.routes.ts';
import { playbookRoutes } from './sequences/playbook.routes.ts';
import { publishRoutes } from './sequences/publish.routes.ts';
import { sequenceRoutes } from './sequences/routes.ts';
import { templateRoutes } from './sequences/template.routes.ts';
import { settingRoutes } from './settings/routes.ts';
import { surveyPageRoutes } from './surveys/page.routes.ts';
import { surveyResultRoutes } from './surveys/results.routes.ts';
import { surveyRoutes } from './surveys/routes.ts';
import { breakerRoutes } from './sync/breaker.routes.ts';
import { driftRoutes } from './sync/drift.routes.ts';
import { quotaRoutes } from './sync/quota.routes.ts';
import { remapRoutes } from './sync/remap.routes.ts';
import { syncRoutes } from './sync/routes.ts';
import { silenceRoutes } from './sync/silence.routes.ts';
import { transferRoutes } from './transfer/routes.ts';
import type { StartRuns } from './triggers/detect.ts';
import { triggerRoutes } from './triggers/routes.ts';
import { trialRoutes } from './triggers/trial.routes.ts';

export interface ApiDeps {
  deps: ActionDeps;
  access: AccessDeps;
  metrics: Metrics;
  start: StartRuns;
  onConnected: (tenantId: string, connectionId: string) => Promise<void>;
  stopping: () => boolean;
}

/** Every address of the hub: the API of each room, the pages of recipients and owners, the vendors' hooks. */
export async function apiRoutes(app: App, api: ApiDeps): Promise<void> {
  const { deps, access, metrics, start, onConnected } = api;
  const { db, clock, config, queue, ports } = deps;
  const secureCookies = config.publicUrl.startsWith('https://');
  systemRoutes(app, { config, db, queue, metrics, stopping: api.stopping });
  accessRoutes(app, { ...access, secureCookies });
  apiKeyRoutes(app, access);
  settingRoutes(app, { db, clock, mistakes: settingMistakes(deps) });
  auditRoutes(app, { db });
  connectionRoutes(app, { ...deps, onConnected, secureCookies });
  connectionCareRoutes(app, deps);
  syncRoutes(app, deps);
  breakerRoutes(app, deps);
  quotaRoutes(app, deps);
  silenceRoutes(app, deps);
  mappingRoutes(app, deps);
  remapRoutes(app, deps);
  driftRoutes(app, deps);
  modelRoutes(app, { db, clock });
  dateRoutes(app, deps);
  identityRoutes(app, deps);
  scoreRoutes(app, { db, clock });
  conditionRoutes(app, { db, clock, segments: segmentNames });
  segmentRoutes(app, { db, clock, wake: (tenantId) => queue.wake('segments', { tenantId }) });
  triggerRoutes(app, { db, clock });
  trialRoutes(app, { db, clock });
  playbookRoutes(app, deps);
  sequenceRoutes(app, { db, clock, ports, start, missing: (tx, definition) => missingOf(deps, tx, definition) });
  publishRoutes(app, { db, clock, ports, start });
  enrolmentRoutes(app, { db, clock, ports, start });
  peopleRoutes(app, { db, clock, ports });
  holdRoutes(app, { db, clock, unfreeze, wake: (tenantId) => queue.wake('dispatch', { tenantId }) });
  forecastRoutes(app, deps);
  shadowRoutes(app, { db, clock, ports });
  templateRoutes(app, { db, clock });
  textRoutes(app, deps);
  consentRoutes(app, {
    ...{ db, clock, passedOn, optOut: optOutDeps(deps) },
    standing: (tx, customerId, now) => standingOf(deps, tx, customerId, now),
  });
  surveyRoutes(app, { db, clock, links: deps.content });
  surveyResultRoutes(app, { db });
  actionRoutes(app, deps);
  oversightRoutes(app, deps);
  campaignRoutes(app, { ...deps, start });
  campaignMemberRoutes(app, { ...deps, start });
  resultRoutes(app, deps);
  privacyRoutes(app, deps);
  transferRoutes(app, deps);
  await browserRoutes(app, { ...deps, ...access, onConnected, secureCookies }, (inner) => {
    recipientRoutes(inner, {
      ...{ db, clock, choices: choiceDeps(deps), messages: messagesTo },
      channels: (tx) => channelsOf(deps, tx),
      birthday: askForBirthday(deps),
    });
    surveyPageRoutes(inner, { db, clock, surveys: surveyDeps(deps) });
  });
  await hookRoutes(app, { ...deps, metrics });
}
