/** What a field of the simulation holds: a type of the vendor's, with what it points at or the words it allows. */
export interface SimField {
  name: string;
  type: string;
  to?: string;
  options?: string[];
  externalId?: true;
  custom?: true;
}

export interface SimObject {
  name: string;
  label: string;
  prefix: string;
  fields: Map<string, SimField>;
}

const SYSTEM =
  'Id:id CreatedDate:datetime CreatedById:reference>User LastModifiedDate:datetime SystemModstamp:datetime';
const OWNED = `${SYSTEM} IsDeleted:boolean OwnerId:reference>User`;
const MERGED = `${OWNED} MasterRecordId:reference`;
const PERSON =
  'Name:string FirstName:string LastName:string Salutation:string Title:string Email:email Phone:phone MobilePhone:phone HasOptedOutOfEmail:boolean DoNotCall:boolean IsEmailBounced:boolean EmailBouncedReason:string EmailBouncedDate:datetime LastActivityDate:date';
const mailing = (prefix: string): string =>
  ['Street', 'City', 'State', 'PostalCode', 'Country'].map((part) => `${prefix}${part}:string`).join(' ');
const ABOUT = 'WhoId:reference WhatId:reference AccountId:reference>Account Subject:string Description:textarea';

// Fields as the vendor's standard objects have them (dossier, "Fields"); words of picklists are an organisation's own.
const OBJECTS: readonly [name: string, label: string, prefix: string, fields: string][] = [
  [
    'User',
    'User',
    '005',
    `${SYSTEM} Name:string FirstName:string LastName:string Email:email Username:string IsActive:boolean TimeZoneSidKey:string UserRoleId:reference`,
  ],
  ['Group', 'Group', '00G', `${SYSTEM} Name:string Type:string`],
  [
    'Organization',
    'Organization',
    '00D',
    `${SYSTEM} Name:string IsSandbox:boolean InstanceName:string TimeZoneSidKey:string OrganizationType:string`,
  ],
  [
    'Account',
    'Account',
    '001',
    `${MERGED} Name:string Type:picklist>Prospect|Customer|Partner|Other Industry:picklist>Banking|Construction|Retail Phone:phone Website:url ParentId:reference>Account AccountSource:string LastActivityDate:date ${mailing('Billing')} ${mailing('Shipping')}`,
  ],
  [
    'Contact',
    'Contact',
    '003',
    `${MERGED} ${PERSON} AccountId:reference>Account Birthdate:date HomePhone:phone OtherPhone:phone ${mailing('Mailing')}`,
  ],
  [
    'Lead',
    'Lead',
    '00Q',
    `${MERGED} ${PERSON} Company:string Status:picklist>Open|Working|Closed IsConverted:boolean ConvertedContactId:reference>Contact ${mailing('')}`,
  ],
  [
    'Opportunity',
    'Opportunity',
    '006',
    `${OWNED} Name:string AccountId:reference>Account StageName:picklist>Prospecting|Negotiation|Closed_Won|Closed_Lost Amount:currency CloseDate:date Probability:percent IsClosed:boolean IsWon:boolean ForecastCategoryName:string LastActivityDate:date NextStep:string`,
  ],
  [
    'OpportunityContactRole',
    'Opportunity Contact Role',
    '00K',
    `${SYSTEM} IsDeleted:boolean OpportunityId:reference>Opportunity ContactId:reference>Contact Role:string IsPrimary:boolean`,
  ],
  [
    'OpportunityStage',
    'Opportunity Stage',
    '01J',
    `${SYSTEM} MasterLabel:string ApiName:string SortOrder:int IsActive:boolean IsClosed:boolean IsWon:boolean`,
  ],
  [
    'CaseStatus',
    'Case Status Value',
    '0CS',
    `${SYSTEM} MasterLabel:string ApiName:string SortOrder:int IsDefault:boolean IsClosed:boolean`,
  ],
  [
    'Case',
    'Case',
    '500',
    `${MERGED} CaseNumber:string Subject:string Description:textarea Status:picklist>New|Working|Escalated|Closed IsClosed:boolean ClosedDate:datetime Priority:picklist>High|Medium|Low Origin:picklist>Phone|Email|Web Reason:string Type:string RecordTypeId:reference ContactId:reference>Contact ContactEmail:email AccountId:reference>Account SuppliedEmail:email SuppliedName:string`,
  ],
  [
    'Task',
    'Task',
    '00T',
    `${OWNED} ${ABOUT} ActivityDate:date Status:picklist>Not_Started|In_Progress|Completed|Waiting_on_someone_else|Deferred IsClosed:boolean Priority:picklist>High|Normal|Low TaskSubtype:picklist>Task|Email|Call IsReminderSet:boolean ReminderDateTime:datetime CallType:string`,
  ],
  [
    'Event',
    'Event',
    '00U',
    `${OWNED} ${ABOUT} StartDateTime:datetime EndDateTime:datetime DurationInMinutes:int IsAllDayEvent:boolean Location:string ShowAs:string`,
  ],
  [
    'EmailMessage',
    'Email Message',
    '02s',
    `${SYSTEM} IsDeleted:boolean ParentId:reference>Case RelatedToId:reference Subject:string TextBody:textarea FromAddress:email FromName:string ToAddress:string Incoming:boolean Status:picklist>0|1|2|3 MessageDate:datetime`,
  ],
  ['Topic', 'Topic', '0TO', `${SYSTEM} Name:string Description:textarea`],
  [
    'TopicAssignment',
    'Topic Assignment',
    '0Tn',
    `${SYSTEM} IsDeleted:boolean TopicId:reference>Topic EntityId:reference`,
  ],
  ['FeedItem', 'Feed Item', '0D5', `${SYSTEM} IsDeleted:boolean ParentId:reference Body:textarea IsRichText:boolean`],
  ['ContentNote', 'Note', '069', `${SYSTEM} IsDeleted:boolean Title:string Content:base64`],
  [
    'ContentDocumentLink',
    'Content Document Link',
    '06A',
    `${SYSTEM} IsDeleted:boolean ContentDocumentId:reference LinkedEntityId:reference ShareType:string`,
  ],
  [
    'WorkOrder',
    'Work Order',
    '0WO',
    `${OWNED} WorkOrderNumber:string Subject:string Status:picklist>New|In_Progress|Completed|Canceled Priority:string AccountId:reference>Account ContactId:reference>Contact CaseId:reference>Case AssetId:reference StartDate:datetime EndDate:datetime GrandTotal:currency IsClosed:boolean`,
  ],
  [
    'Contract',
    'Contract',
    '800',
    `${OWNED} ContractNumber:string Status:picklist>Draft|In_Approval|Activated Name:string AccountId:reference>Account StartDate:date EndDate:date ContractTerm:int`,
  ],
  [
    'Invoice__c',
    'Invoice',
    'a01',
    `${OWNED} Name:string Account__c:reference>Account Contact__c:reference>Contact Status__c:picklist>Draft|Open|Paid|Void Amount__c:currency Balance__c:currency Due_Date__c:date Invoice_Date__c:date`,
  ],
];

function fieldOf(text: string): SimField {
  const [name = '', rest = ''] = text.split(':');
  const [type = '', detail] = rest.split('>');
  const field: SimField = { name, type, ...(name.endsWith('__c') ? { custom: true } : {}) };
  if (type === 'reference' && detail) field.to = detail;
  if (type === 'picklist') field.options = (detail ?? '').split('|').map((word) => word.replaceAll('_', ' '));
  return field;
}

/** The objects of an organisation, each time anew: people add fields. */
export const createSchema = (): Map<string, SimObject> =>
  new Map(
    OBJECTS.map(([name, label, prefix, fields]) => [
      name,
      { name, label, prefix, fields: new Map(fields.split(' ').map((text) => [fieldOf(text).name, fieldOf(text)])) },
    ]),
  );

const labelOf = (name: string): string =>
  name
    .replace(/__c$/, '')
    .replaceAll('_', ' ')
    .replace(/([a-z])([A-Z])/g, '$1 $2');

/** An object as `describe` shows it to a user. */
export const described = (object: SimObject, hidden: ReadonlySet<string>): object => ({
  name: object.name,
  label: object.label,
  keyPrefix: object.prefix,
  custom: object.name.endsWith('__c'),
  recordTypeInfos: [],
  fields: [...object.fields.values()]
    .filter(({ name }) => !hidden.has(name))
    .map((field) => ({
      name: field.name,
      label: labelOf(field.name),
      type: field.type,
      length: field.type === 'textarea' ? 32_000 : 255,
      nillable: field.name !== 'Id',
      createable: field.name !== 'Id',
      updateable: field.name !== 'Id',
      externalId: field.externalId === true,
      idLookup: field.name === 'Id' || field.externalId === true,
      calculated: false,
      custom: field.custom === true,
      picklistValues: (field.options ?? []).map((value) => ({
        active: true,
        defaultValue: false,
        label: value,
        value,
      })),
      referenceTo: field.to ? [field.to] : [],
      relationshipName:
        field.type === 'reference' && field.to ? field.name.replace(/Id$/, '').replace(/__c$/, '__r') : null,
    })),
});
