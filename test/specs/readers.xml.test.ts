import { describe, expect, test } from 'vitest';
import { callOf, describeFiles, once, requestOf, responseOf } from './calls.ts';
import { platformFile } from './platforms.ts';
import { QUICKBOOKS_FILES, quickBooks } from './readers/quickbooks.ts';
import { parseXml } from './readers/xml.ts';
import { readXsd } from './readers/xsd.ts';
import { Schemas } from './schemas.ts';

describe('XML', () => {
  test('specs: XML: elements, attributes, texts and entities are read, comments are not', () => {
    const top = parseXml(
      `\uFEFF<?xml version="1.0"?><!-- <a> --><x:top a="1 &lt; 2" b='"'><n/>a&amp;b<![CDATA[<c>&amp;]]>&#65;&#x42;</x:top>`,
    );
    expect(top).toMatchObject({
      name: 'x:top',
      local: 'top',
      attributes: { a: '1 < 2', b: '"' },
      text: 'a&b<c>&amp;AB',
    });
    expect(top.children.map(({ local }) => local)).toEqual(['n']);
  });

  test('specs: XML: what is not well-formed, or brings entities of its own, is refused', () => {
    for (const broken of [
      ...['', 'text', '<a>', '<a></b>', '<a/><b/>', '<a b=1/>', '<a b="<"/>', '<a', 'x<a/>', '<a>&nbsp;</a>', '</a>'],
      '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    ])
      expect(() => parseXml(broken), broken).toThrow(/XML/);
  });
});

describe('XML schemas', () => {
  const schemas = (inner: string, more = ''): Schemas =>
    new Schemas(
      readXsd([
        `<xs:schema xmlns:xs="x"><xs:element name="Top" type="Top"/>${more}<xs:complexType name="Top">${inner}</xs:complexType></xs:schema>`,
      ]).document,
    );
  const lines = (from: Schemas, value: unknown): string[] =>
    from.check({ $ref: '#/elements/Top' }, value, 'response', 'it').map(({ at, says }) => `${at} ${says}`);

  test('specs: XSD: elements and attributes are members, repeated ones lists, choices are optional', () => {
    const from = schemas(
      `<xs:sequence><xs:element name="id" type="xs:int"/><xs:element name="tag" type="xs:string" minOccurs="0" maxOccurs="unbounded"/>
       <xs:choice><xs:element name="on" type="xs:date"/><xs:element name="at" type="xs:dateTime"/></xs:choice></xs:sequence>
       <xs:attribute name="code" type="xs:boolean" use="required"/>`,
    );
    expect(lines(from, { id: 1, tag: ['a'], on: '2026-03-01', code: true })).toEqual([]);
    expect(lines(from, { id: '1', tag: 'a', at: '2026-03-01' })).toEqual([
      'it.code is missing',
      'it.id must be integer',
      'it.tag must be array',
      'it.at must match format "date-time"',
    ]);
  });

  test('specs: XSD: extension, groups, stand-ins, words and text with attributes are read', () => {
    const more = `
      <xs:complexType name="Base"><xs:sequence><xs:element name="b" type="Word"/></xs:sequence></xs:complexType>
      <xs:simpleType name="Word"><xs:restriction base="xs:string"><xs:enumeration value="one"/></xs:restriction></xs:simpleType>
      <xs:complexType name="Money"><xs:simpleContent><xs:extension base="xs:decimal"><xs:attribute name="of" type="xs:string"/></xs:extension></xs:simpleContent></xs:complexType>
      <xs:group name="G"><xs:sequence><xs:element name="g" type="Money" minOccurs="0"/></xs:sequence></xs:group>
      <xs:element name="Any" type="Base" abstract="true"/><xs:element name="Kind" type="Base" substitutionGroup="Any"/>`;
    const from = schemas(
      `<xs:complexContent><xs:extension base="Base"><xs:sequence><xs:group ref="G"/><xs:element ref="Any" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:extension></xs:complexContent>`,
      more,
    );
    expect(lines(from, { b: 'one', g: { value: 5, of: 'USD' }, Kind: [{ b: 'one' }] })).toEqual([]);
    expect(lines(from, { b: 'two', g: { value: '5' }, Any: {}, Kind: { b: 'one' } })).toEqual([
      'it.b must be one of one',
      'it.g.value must be number',
      'it.Kind must be array',
      'it.Any is not described',
    ]);
  });
});

describeFiles('quickbooks', 'QuickBooks', () => {
  const files = () => QUICKBOOKS_FILES.map((file) => platformFile('quickbooks', file));
  const books = once(() => quickBooks('schemas', files()));
  const base = '/v3/company/1';

  test('specs: QuickBooks: what is sent and answered in JSON is compared with the XML schemas', () => {
    const write = (body: object, query: object = {}) =>
      requestOf(books(), callOf('POST', `${base}/invoice`, { body, query: { minorversion: '75', ...query } }));
    expect(write({ Id: '1', SyncToken: '0', sparse: true, PrivateNote: 'x' }, { requestid: 'a' })).toHaveLength(1);
    expect(
      write({ Id: '1', sparse: 'yes', PrivatNote: 'x', TotalAmt: '5' }, { requestId: 'a' }).slice(1).sort(),
    ).toEqual([
      'request.body.PrivatNote is not described',
      'request.body.TotalAmt must be number',
      'request.body.sparse must be boolean',
      'request.query.requestId is not described',
    ]);
    const answer = (reply: object, path = 'query') => responseOf(books(), callOf('GET', `${base}/${path}`, { reply }));
    const time = '2026-03-02T07:00:00-08:00';
    expect(answer({ QueryResponse: { Invoice: [{ Id: '1', Balance: 5 }], maxResults: 1 }, time })).toEqual([]);
    expect(answer({ QueryResponse: { Invoice: { Id: 1 }, Invoic: [] }, time: 'now' }).sort()).toEqual([
      'response.body.QueryResponse.Invoic is not described',
      'response.body.QueryResponse.Invoice must be array',
      'response.body.time must match format "date-time"',
    ]);
    expect(
      answer({ CDCResponse: [{ QueryResponse: [{ Customer: [{ Id: '1', status: 'Deleted' }] }] }] }, 'cdc'),
    ).toEqual([]);
    expect(answer({ Fault: { Error: [{ Message: 'no' }], type: 'x' } }, 'invoice/1')).toEqual([
      'response.body.Fault.Error.0.code is missing',
    ]);
  });
});
