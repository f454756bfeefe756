import { expect, test } from 'vitest';
import { callOf, describeFiles, requestOf, responseOf, sample } from './calls.ts';
import { platformJson, readSpec } from './platforms.ts';
import { awsQuery } from './readers/aws.ts';
import { jsonSchema } from './readers/jsonschema.ts';
import { telegramType } from './readers/telegram.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const spec = (platform: string, file: string) => readSpec(platform, file)!;

describeFiles('google-calendar', "Google's discovery documents", () => {
  const calendar = () => spec('google-calendar', 'calendar.v3.discovery.json');
  const event = {
    start: { dateTime: '2026-03-02T15:00:00Z' },
    end: { dateTime: '2026-03-02T16:00:00Z' },
    summary: 's',
  };

  test('specs: discovery: what a method wants is there, what Google would silently ignore is found', () => {
    const insert = (body: object, query: Record<string, string> = {}) =>
      requestOf(calendar(), callOf('POST', '/calendar/v3/calendars/primary/events', { body, query }));
    expect(insert(event, { sendUpdates: 'none', maxAttendees: '3' })).toEqual([
      'POST /calendar/v3/calendars/{calendarId}/events',
    ]);
    const { start: _, ...without } = event;
    expect(insert({ ...without, tittle: 'x' }, { sendUpdates: 'some', maxAttendees: '0' })).toEqual([
      'POST /calendar/v3/calendars/{calendarId}/events',
      'request.query.maxAttendees must be >= 1',
      'request.query.sendUpdates must be one of all, externalOnly, none',
      'request.body.start is missing',
      'request.body.tittle is not described',
    ]);
    // Changing an event asks for less than making one.
    const patched = callOf('PATCH', '/calendar/v3/calendars/primary/events/1', { body: without });
    expect(requestOf(calendar(), patched)).toHaveLength(1);
  });

  test('specs: discovery: answers, long numbers as text and names in the path are compared', () => {
    const answer = (reply: object) =>
      responseOf(calendar(), callOf('GET', '/calendar/v3/calendars/primary/events/1', { reply }));
    expect(answer({ kind: 'calendar#event', id: '1', ...event })).toEqual([]);
    expect(answer({ id: 1 })).toEqual(['response.body.id must be string']);
    const gmail = spec('gmail', 'gmail.v1.discovery.json');
    const message = (historyId: unknown) =>
      responseOf(gmail, callOf('GET', '/gmail/v1/users/me/messages/1', { reply: { id: '1', historyId } }));
    expect(message('123')).toEqual([]);
    expect(message(123)).toEqual(['response.body.historyId must be string']);
    expect(message('12x')).toEqual(['response.body.historyId must match pattern "^\\d+$"']);
    const publish = callOf('POST', '/v1/projects/p/topics/t:publish', { body: { messages: [{ data: 'aGk=' }] } });
    expect(requestOf(spec('gmail', 'pubsub.v1.discovery.json'), publish)).toEqual(['POST /v1/{+topic}:publish']);
  });
});

describeFiles('aws-sns', "AWS's service models", () => {
  const sns = () => awsQuery('service-2.json', platformJson('aws-sns', 'service-2.json'));
  const attribute = (name: string, value: string) => ({
    'MessageAttributes.entry.1.Name': name,
    'MessageAttributes.entry.1.Value.DataType': 'String',
    'MessageAttributes.entry.1.Value.StringValue': value,
  });
  const publish = (more: Record<string, string>) =>
    callOf('POST', '/', {
      headers: FORM,
      body: { Action: 'Publish', Version: '2010-03-31', PhoneNumber: '+14155551000', Message: 'Hello', ...more },
    });

  test('specs: AWS: forms are put together and compared, misspelt and missing members found', () => {
    expect(requestOf(sns(), publish(attribute('AWS.SNS.SMS.SMSType', 'Transactional')))).toEqual(['POST Publish']);
    expect(requestOf(sns(), publish({ Mesage: 'x', Version: '2012-01-01' }))).toEqual([
      'POST Publish',
      'request.body.Version must be 2010-03-31',
      'request.body.Mesage is not described',
    ]);
    const { 'MessageAttributes.entry.1.Value.DataType': _, ...untyped } = attribute('a', 'b');
    expect(requestOf(sns(), publish(untyped))).toEqual([
      'POST Publish',
      'request.body.MessageAttributes.a.DataType is missing',
    ]);
    expect(sns().find(callOf('POST', '/', { headers: FORM, body: { Action: 'Publisch' } }))).toBeUndefined();
  });

  test('specs: AWS: answers in XML are compared, lists, results and failures with their status', () => {
    const answer = (reply: string, status = 200, body = publish({}).body) =>
      responseOf(sns(), callOf('POST', '/', { headers: FORM, body, status, reply }));
    const sent = (inner: string) =>
      `<PublishResponse xmlns="x"><PublishResult>${inner}</PublishResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PublishResponse>`;
    expect(answer(sent('<MessageId>1</MessageId>'))).toEqual([]);
    expect(answer(sent('<MessageID>1</MessageID>'))).toEqual([
      'response.body.PublishResult.MessageID is not described',
    ]);
    expect(answer('{"MessageId":"1"}')).toEqual(['response.body must be XML']);
    expect(answer('<PublishBatchResponse/>')).toEqual(['response.body must be PublishResponse']);
    const list = { Action: 'ListSubscriptions', Version: '2010-03-31' };
    const listed = (inner: string) =>
      answer(
        `<ListSubscriptionsResponse><ListSubscriptionsResult><Subscriptions>${inner}</Subscriptions></ListSubscriptionsResult></ListSubscriptionsResponse>`,
        200,
        list,
      );
    expect(listed('<member><Protocol>sms</Protocol></member><member><Owner>1</Owner></member>')).toEqual([]);
    expect(listed('<item><Protocol>sms</Protocol></item>')).not.toEqual([]);
    const failed = (code: string, status: number) =>
      answer(`<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code></Error></ErrorResponse>`, status);
    expect(failed('InvalidParameter', 400)).toEqual([]);
    expect(failed('InvalidParameter', 404)).toEqual(['response.status must be 400 for InvalidParameter']);
    expect(failed('Throttling', 400)).toEqual([]);
    expect(failed('Nonsense', 400)).toEqual(['response.body.Error.Code is not described']);
  });
});

describeFiles('telegram', "Telegram's list of methods", () => {
  const bot = () => spec('telegram', 'bot-api.json');

  test('specs: Telegram: methods, required fields and types are compared, in JSON, forms and addresses', () => {
    const send = (body: object, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
      requestOf(bot(), callOf('POST', '/bot1:a/sendMessage', { body, headers }));
    const keyboard = { inline_keyboard: [[{ text: 'Yes', callback_data: 'y' }]] };
    expect(send({ chat_id: 5, text: 'Hi', reply_markup: keyboard })).toEqual(['POST /bot{token}/sendMessage']);
    expect(send({ chat_id: '5', text: 'Hi', reply_markup: JSON.stringify(keyboard) }, FORM)).toHaveLength(1);
    expect(send({ chat_id: 5, txt: 'Hi' })).toEqual([
      'POST /bot{token}/sendMessage',
      'request.body.text is missing',
      'request.body.txt is not described',
    ]);
    const got = callOf('GET', '/bot1:a/getUpdates', { query: { offset: 'x', limit: '5' } });
    expect(requestOf(bot(), got)).toEqual(['GET /bot{token}/getUpdates', 'request.query.offset must be integer']);
    expect(bot().find(callOf('POST', '/bot1:a/sendMesage'))).toBeUndefined();
  });

  test('specs: Telegram: answers have their envelope and the result of the method', () => {
    const answer = (reply: unknown, status = 200) =>
      responseOf(bot(), callOf('GET', '/bot1:a/getMe', { reply, status }));
    expect(answer({ ok: true, result: { id: 1, is_bot: true, first_name: 'Bot' } })).toEqual([]);
    expect(answer({ ok: true, result: { id: '1', is_bot: true } })).toEqual([
      'response.body.result.first_name is missing',
      'response.body.result.id must be integer',
    ]);
    expect(answer({ ok: false, error_code: 429, description: 'x', parameters: { retry_after: 5 } }, 429)).toEqual([]);
    expect(answer({ ok: false }, 429)).toHaveLength(2);
  });

  test("specs: Telegram: the vendor's update is one, and one without its id is not", () => {
    const update = telegramType('bot-api.json', platformJson('telegram', 'bot-api.json'), 'Update');
    const published = sample('telegram', 'update-message-start.json');
    // Older than this field.
    published.message.from.is_bot = false;
    expect(update.check(published, 'post.body')).toEqual([]);
    const { update_id: _, ...without } = published;
    expect(update.check(without, 'post.body')).toEqual([{ at: 'post.body.update_id', says: 'is missing' }]);
  });
});

describeFiles('messagebird', "Bird's schemas with a list of operations", () => {
  test('specs: operation lists: requests and answers are compared with the schemas they name', () => {
    const bird = spec('messagebird', 'bird-v1.operations.json');
    const body = sample('messagebird', 'v1-sms-send-request.json');
    const send = callOf('POST', '/v1/sms/messages', { body, status: 202 });
    expect(requestOf(bird, send)).toEqual(['POST /v1/sms/messages']);
    expect(requestOf(bird, { ...send, body: { ...body, txt: 1 }, query: { x: '1' } })).toEqual([
      'POST /v1/sms/messages',
      'request.query.x is not described',
      'request.body.txt is not described',
    ]);
    expect(responseOf(bird, callOf('GET', '/v1/audiences', { reply: { data: 'none' } }))).not.toEqual([]);
  });
});

describeFiles('slack', 'JSON schemas', () => {
  test('specs: JSON schema: an event is compared with the envelope, the examples in it are right', () => {
    const document = platformJson('slack', 'event-wrapper.schema.json');
    const wrapper = jsonSchema('event-wrapper', document);
    const event = { ...document.examples[1], authed_users: ['U1'] };
    expect(wrapper.check(event, 'post.body')).toEqual([]);
    const { event_id: _, ...without } = { ...event, event_time: 'now' };
    expect(wrapper.check(without, 'post.body').map(({ at, says }) => `${at} ${says}`)).toEqual([
      'post.body.event_id is missing',
      'post.body.event_time must be integer',
    ]);
  });

  test('specs: JSON schema: parts are found by pointer and by id, drafts old and new', () => {
    const card = jsonSchema('adaptive card', platformJson('teams', 'adaptive-card-1.5.schema.json'));
    const published = sample('teams', 'adaptivecard.ActivityUpdate.json');
    expect(card.check(published, 'card')).toEqual([]);
    expect(card.check({ ...published, version: 5 }, 'card').map(({ at }) => at)).toContain('card.version');
    const schemas = platformJson('zapier', 'exported-schema.json');
    const app = jsonSchema('zapier', schemas, '/AppSchema');
    const definition = { version: '1.0.0', platformVersion: '19.1.0' };
    expect(app.check(definition, 'app')).toEqual([]);
    const places = app.check({ version: 'one' }, 'app').map(({ at }) => at);
    expect(new Set(places)).toEqual(new Set(['app.platformVersion', 'app.version']));
  });
});
