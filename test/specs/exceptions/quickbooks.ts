import { PLATFORMS, platformFile } from '../platforms.ts';
import { quickBooks } from '../readers/quickbooks.ts';
import type { Truth } from '../truth.ts';
import { existsSync } from 'node:fs';
import path from 'node:path';

const FILES = ['Finance.xsd', 'IntuitBaseTypes.xsd', 'IntuitNamesTypes.xsd', 'IntuitRestServiceDef.xsd', 'Report.xsd', 'SalesTax.xsd'];

const truth: Truth = {
  specs: () =>
    existsSync(path.join(PLATFORMS, 'quickbooks', 'Finance.xsd'))
      ? [quickBooks('IntuitRestServiceDef.xsd', FILES.map((file) => platformFile('quickbooks', file)))]
      : [],
  exceptions: [
  ],
};
export default truth;
