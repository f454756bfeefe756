import * as accessSchema from './access/schema.ts';
import * as actionSchema from './actions/schema.ts';
import * as textSchema from './actions/texts.schema.ts';
import * as auditSchema from './audit/schema.ts';
import * as resultSchema from './campaigns/results.schema.ts';
import * as campaignSchema from './campaigns/schema.ts';
import * as conditionSchema from './conditions/schema.ts';
import * as connectionSchema from './connections/schema.ts';
import * as consentSchema from './consent/schema.ts';
import * as forecastSchema from './forecast/schema.ts';
import { ProblemDocument } from './http/problems.ts';
import * as mappingSchema from './mapping/schema.ts';
import * as modelSchema from './model/schema.ts';
import * as privacySchema from './privacy/schema.ts';
import * as scoringSchema from './scoring/schema.ts';
import * as segmentSchema from './segments/schema.ts';
import * as peopleSchema from './sequences/people.schema.ts';
import * as playbookSchema from './sequences/playbook.schema.ts';
import * as sequenceSchema from './sequences/schema.ts';
import * as surveySchema from './surveys/schema.ts';
import * as quotaSchema from './sync/quota.schema.ts';
import * as remapSchema from './sync/remap/schema.ts';
import * as syncSchema from './sync/schema.ts';
import * as transferSchema from './transfer/schema.ts';
import * as triggerSchema from './triggers/schema.ts';

const schemasOf = (...rooms: object[]): { $id: string }[] =>
  rooms
    .flatMap((room) => Object.values(room))
    .filter(
      (value): value is { $id: string } =>
        value !== null && typeof value === 'object' && typeof (value as { $id?: unknown }).$id === 'string',
    );

/** Every schema that has a name: the reference of the API is made of them. */
export const schemas = (): { $id: string }[] =>
  schemasOf(
    accessSchema,
    actionSchema,
    textSchema,
    auditSchema,
    campaignSchema,
    resultSchema,
    conditionSchema,
    connectionSchema,
    consentSchema,
    forecastSchema,
    mappingSchema,
    modelSchema,
    scoringSchema,
    peopleSchema,
    segmentSchema,
    privacySchema,
    playbookSchema,
    sequenceSchema,
    quotaSchema,
    remapSchema,
    surveySchema,
    syncSchema,
    transferSchema,
    triggerSchema,
    { ProblemDocument },
  );
