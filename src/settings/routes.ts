import { Type } from 'typebox';
import { settingEffects } from '../actions/setting-effects.ts';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { stale } from '../base/errors.ts';
import { words } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, tag } from '../http/helpers.ts';
import { checkSetting, refuse } from './check.ts';
import { SETTING_KEYS, SETTINGS } from './schema.ts';
import { readSetting, type SettingMistakes, writeSetting } from './store.ts';

const Setting = Type.Object({
  key: Type.String(),
  title: Type.String(),
  value: Type.Unknown(),
  version: Type.Integer(),
  schema: Type.Unknown({ description: 'JSON schema of the value' }),
});
const Params = Type.Object({ key: words(SETTING_KEYS) });

/** Settings of the tenant: quiet hours, caps, who writes, which connection does what. */
export function settingRoutes(app: App, deps: { db: Database; clock: Clock; mistakes: SettingMistakes }): void {
  app.get(
    '/v1/settings',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['settings'],
        summary: 'All settings',
        response: { 200: Type.Object({ items: Type.Array(Setting) }) },
      },
    },
    async (request) => {
      const rows = await deps.db.tenant(caller(request).tenantId, async (tx) => {
        const all = [];
        for (const key of SETTING_KEYS) all.push(await readSetting(tx, key));
        return all;
      });
      return {
        items: rows.map((row) => ({
          key: row.key,
          title: SETTINGS[row.key].title,
          value: row.value,
          version: row.version,
          schema: SETTINGS[row.key].schema,
        })),
      };
    },
  );

  app.get(
    '/v1/settings/:key',
    {
      config: { permission: 'read' },
      schema: { tags: ['settings'], summary: 'One setting', params: Params, response: { 200: Setting } },
    },
    async (request, reply) => {
      const row = await deps.db.tenant(caller(request).tenantId, (tx) => readSetting(tx, request.params.key));
      tag(reply, row.version);
      return {
        key: row.key,
        title: SETTINGS[row.key].title,
        value: row.value,
        version: row.version,
        schema: SETTINGS[row.key].schema,
      };
    },
  );

  app.put(
    '/v1/settings/:key',
    {
      config: { permission: 'admin' },
      schema: {
        tags: ['settings'],
        summary: 'Change a setting',
        params: Params,
        body: Type.Record(Type.String(), Type.Unknown()),
        response: { 200: Setting },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const { key } = request.params;
      const expected = expectedVersion(request);
      const version = await deps.db.tenant(tenantId, async (tx) => {
        const before = await readSetting(tx, key);
        const value = checkSetting(key, { ...(before.value as object), ...request.body });
        refuse(key, await deps.mistakes(tx, key, value));
        const written = await writeSetting(tx, key, value, { expected, by: actor, at: deps.clock.now() });
        if (written === undefined) throw stale('setting');
        await settingEffects(tx, key, deps.clock.now());
        await appendEvents(tx, [
          {
            actor,
            action: 'setting.changed',
            subject: { kind: 'setting', id: key },
            data: { before: before.value, after: value },
            at: deps.clock.now(),
          },
        ]);
        return { written, value };
      });
      tag(reply, version.written);
      return {
        key,
        title: SETTINGS[key].title,
        value: version.value,
        version: version.written,
        schema: SETTINGS[key].schema,
      };
    },
  );
}
