import { Type } from 'typebox';
import { words } from '../base/schema.ts';
import { defineEvent } from './events.ts';
import { candidateOf, hitsOf, momentOf } from './found.ts';
import { isOneOf, plain, tagsOf, turned, Words } from './match.ts';
import type { TriggerDefinition } from './schema.ts';

const TAGGED = ['contact', 'company'] as const;

/** The trigger for tags that come or go. What we tagged ourselves is an echo and is not even looked at. */
export function tagChanged(way: 'added' | 'removed'): TriggerDefinition {
  return defineEvent({
    name: `tag.${way}`,
    title: `Tag ${way}`,
    arms:
      way === 'added'
        ? 'Fires when a contact or company gets a tag, or joins a list, in a connected system; one that arrives tagged counts. Fires again only when the tag was taken off and given again. What Rapport tags itself does not count.'
        : 'Fires when a contact or company loses a tag, or leaves a list, in a connected system. Fires again only when the tag was given and taken off again. What Rapport takes off itself does not count.',
    key: 'record + tag + change',
    kinds: TAGGED,
    settings: Type.Object(
      { tags: Words, of: Type.Array(words(TAGGED), { minItems: 1, uniqueItems: true }) },
      {
        additionalProperties: false,
        description: 'Names of tags in any spelling of case, such as "Maintenance Due"; an empty list means any tag.',
      },
    ),
    defaults: { tags: [], of: ['contact', 'company'] },
    fromChanges: async (tx, changes, settings, env) => {
      const found = [];
      for (const kind of settings.of) {
        const hits = await hitsOf(tx, changes, kind, ({ fields }) => fields.includes('tags'));
        for (const hit of hits) {
          const turn = turned(hit.change, 'tags');
          const [had, has] = [tagsOf(turn?.before), tagsOf(turn?.after)];
          const [more, less] = way === 'added' ? [has, had] : [had, has];
          const gone = more.filter((tag) => !isOneOf(tag, less));
          for (const tag of new Map(gone.map((name) => [plain(name), name])).values()) {
            if (settings.tags.length > 0 && !isOneOf(tag, settings.tags)) continue;
            found.push(
              candidateOf(kind, hit, momentOf(hit, env), {
                key: `${hit.change.entity_id}:${plain(tag)}:${hit.change.id}`,
                data: { tag },
                fact: {
                  field: 'tags',
                  operator: way === 'added' ? 'contains' : 'not_contains',
                  values: [tag],
                  lasting: false,
                },
              }),
            );
          }
        }
      }
      return found;
    },
  });
}
