import { basicAuth, type SignedPost } from '../../src/kit/index.ts';
import { shown } from './sandbox.routes.ts';
import type { Hook, PipedriveCompany, Type } from './sandbox.state.ts';

export const ENTITIES: Record<string, string> = {
  persons: 'person',
  organizations: 'organization',
  deals: 'deal',
  activities: 'activity',
};

export interface News {
  action: 'create' | 'change' | 'delete';
  type: Type;
  id: number | string;
  /** Identifies the event. */
  event: string;
  at: number;
  into?: number | string | undefined;
}

/** A post in the envelope of webhooks version 2 (sample `webhook-v2-envelope.json`), with the password it was given. */
export function postOf(company: PipedriveCompany, companyId: number, hook: Hook, news: News): SignedPost {
  const { action, type, id, event, at, into } = news;
  const record = company.table(type).find(Number(id));
  const body = {
    meta: {
      ...{ action, entity: ENTITIES[type], entity_id: String(id), company_id: String(companyId), id: event },
      ...{ correlation_id: event, is_bulk_edit: false, timestamp: new Date(at).toISOString(), type: 'application' },
      ...{ user_id: '1', version: '2.0', webhook_id: String(hook.id), webhook_owner_id: '1', change_source: 'app' },
      ...{ attempt: 1, host: 'riverside.pipedrive.com', permitted_user_ids: ['1'] },
      ...(into === undefined ? {} : { merged_to_id: String(into) }),
    },
    data: action === 'delete' || !record ? null : shown(record),
    previous: action === 'create' ? null : {},
  };
  const authorization = basicAuth(hook.http_auth_user, hook.http_auth_password);
  return {
    url: hook.subscription_url,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', authorization },
  };
}
