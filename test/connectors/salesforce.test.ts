import { conformance } from '../conformance/suite.ts';

await conformance('salesforce');
