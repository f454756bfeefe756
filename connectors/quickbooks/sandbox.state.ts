import { type Fields, type QuickBooksEntity, QuickBooksStore, SALES, stamp } from './sandbox.store.ts';

export interface InvoiceInput {
  customer: string;
  amount: number;
  due?: string;
  issued?: string;
  number?: string;
  email?: string | null;
  description?: string;
  serviceOn?: string;
  /** Whether the customer can pay online; only then there is a link. */
  online?: boolean;
}

const DAY = 86_400_000;
const day = (time: Date): string => time.toISOString().slice(0, 10);
const cents = (amount: number): number => Math.round(amount * 100) / 100;

/** One company's books, kept as people and the hub keep them. */
export class QuickBooksCompany extends QuickBooksStore {
  info: Fields = { CompanyName: 'Simulated company', Country: 'US', Email: { Address: 'books@example.com' } };
  /** Invoices mailed to customers. */
  readonly mails: { invoice: string; to: string; at: Date }[] = [];

  addCustomer(fields: Fields, at?: Date): QuickBooksEntity {
    const parent = fields.ParentRef as { value: string } | undefined;
    const own = String(fields.DisplayName ?? `${fields.GivenName ?? ''} ${fields.FamilyName ?? ''}`.trim());
    const path = parent ? `${String(this.get('Customer', parent.value).FullyQualifiedName)}:${own}` : own;
    const shown = { DisplayName: own, FullyQualifiedName: path, Active: true, Job: parent !== undefined };
    const money = { Balance: 0, BalanceWithJobs: 0, CurrencyRef: { value: 'USD', name: 'United States Dollar' } };
    return this.add(
      'Customer',
      { ...shown, ...money, PreferredDeliveryMethod: 'Email', Taxable: false, ...fields },
      at,
    );
  }

  addInvoice(input: InvoiceInput, at?: Date): QuickBooksEntity {
    const customer = this.get('Customer', input.customer);
    const issued = input.issued ?? day(this.clock.now());
    const address = (customer.PrimaryEmailAddr as { Address: string } | undefined)?.Address;
    const email = input.email === null ? undefined : (input.email ?? address);
    const item = { ItemRef: { value: '1', name: 'Services' }, Qty: 1, UnitPrice: input.amount };
    const detail = { ...item, ...(input.serviceOn ? { ServiceDate: input.serviceOn } : {}) };
    const line = { Id: '1', LineNum: 1, Description: input.description ?? 'Work', Amount: input.amount };
    const made = this.add(
      'Invoice',
      {
        DocNumber: input.number ?? String(1000 + this.lastId.transactions + 1),
        TxnDate: issued,
        DueDate: input.due ?? day(new Date(Date.parse(issued) + 30 * DAY)),
        CustomerRef: { value: customer.Id, name: customer.DisplayName },
        CurrencyRef: customer.CurrencyRef,
        Line: [{ ...line, DetailType: 'SalesItemLineDetail', SalesItemLineDetail: detail }],
        LinkedTxn: [],
        TotalAmt: input.amount,
        Balance: input.amount,
        ...(email ? { BillEmail: { Address: email } } : {}),
        EmailStatus: 'NotSet',
        PrintStatus: 'NeedToPrint',
        AllowOnlinePayment: false,
        AllowOnlineCreditCardPayment: input.online ?? false,
        AllowOnlineACHPayment: input.online ?? false,
      },
      at,
    );
    this.owe(customer.Id, input.amount);
    return made;
  }

  addEstimate(customer: string, amount: number, status = 'Pending', more: Fields = {}): QuickBooksEntity {
    const { DisplayName } = this.get('Customer', customer);
    const number = String(5000 + this.lastId.transactions + 1);
    const head = {
      DocNumber: number,
      TxnDate: day(this.clock.now()),
      CustomerRef: { value: customer, name: DisplayName },
    };
    return this.add('Estimate', { ...head, TxnStatus: status, TotalAmt: amount, LinkedTxn: [], Line: [], ...more });
  }

  addTime(customer: string, fields: Fields): QuickBooksEntity {
    const who = { NameOf: 'Employee', EmployeeRef: { value: '55', name: 'Emily Platt' } };
    const head = { TxnDate: day(this.clock.now()), ...who, CustomerRef: { value: customer } };
    return this.add('TimeActivity', { ...head, BillableStatus: 'Billable', Hours: 1, Minutes: 0, ...fields });
  }

  /** A template; the vendor wraps it in its type. */
  addRecurring(type: string, fields: Fields, schedule: Fields, info: Fields = {}): QuickBooksEntity {
    const recurring = { RecurType: 'Automated', Active: true, ...info, ScheduleInfo: schedule };
    return this.add('RecurringTransaction', { ...fields, RecurringInfo: recurring, wrappedIn: type });
  }

  /** A customer owes more or less. That alone is no change of the customer's record. */
  private owe(customer: string, amount: number): void {
    for (let id: string | undefined = customer; id; ) {
      const record: QuickBooksEntity = this.get('Customer', id);
      if (id === customer) record.Balance = cents(Number(record.Balance) + amount);
      record.BalanceWithJobs = cents(Number(record.BalanceWithJobs) + amount);
      id = (record.ParentRef as { value: string } | undefined)?.value;
    }
  }

  /** Applies money to an invoice: its balance falls, it is a new version, and it knows what was applied. */
  private settle(invoiceId: string, amount: number, by: { TxnId: string; TxnType: string }): void {
    const invoice = this.get('Invoice', invoiceId);
    const links = [...((invoice.LinkedTxn as unknown[] | undefined) ?? []), by];
    this.change('Invoice', invoiceId, { Balance: cents(Number(invoice.Balance) - amount), LinkedTxn: links });
  }

  /** Somebody writes down that money came in. What exceeds the balance stays unapplied. */
  receive(invoiceId: string, amount: number, date = day(this.clock.now())): QuickBooksEntity {
    const invoice = this.get('Invoice', invoiceId);
    const used = Math.min(amount, Number(invoice.Balance));
    const payment = this.add('Payment', {
      TxnDate: date,
      TotalAmt: amount,
      UnappliedAmt: cents(amount - used),
      ProcessPayment: false,
      CustomerRef: invoice.CustomerRef,
      CurrencyRef: invoice.CurrencyRef,
      PaymentMethodRef: { value: '1', name: 'Check' },
      Line: [{ Amount: used, LinkedTxn: [{ TxnId: invoiceId, TxnType: 'Invoice' }] }],
    });
    this.settle(invoiceId, used, { TxnId: payment.Id, TxnType: 'Payment' });
    this.owe((invoice.CustomerRef as { value: string }).value, -amount);
    return payment;
  }

  /** A credit memo: for the customer as such, or applied to an invoice. */
  giveCredit(customer: string, amount: number, invoiceId?: string): QuickBooksEntity {
    const used = invoiceId ? Math.min(amount, Number(this.get('Invoice', invoiceId).Balance)) : 0;
    const left = cents(amount - used);
    const { DisplayName, CurrencyRef } = this.get('Customer', customer);
    const memo = this.add('CreditMemo', {
      DocNumber: `C-${this.lastId.transactions + 1}`,
      TxnDate: day(this.clock.now()),
      CustomerRef: { value: customer, name: DisplayName },
      CurrencyRef,
      TotalAmt: amount,
      RemainingCredit: left,
      Balance: left,
      LinkedTxn: invoiceId ? [{ TxnId: invoiceId, TxnType: 'Invoice' }] : [],
      Line: [],
    });
    if (invoiceId) this.settle(invoiceId, used, { TxnId: memo.Id, TxnType: 'CreditMemo' });
    this.owe(customer, -amount);
    return memo;
  }

  /** Paid on the spot, without an invoice; or given back. */
  addReceipt(entity: 'SalesReceipt' | 'RefundReceipt', customer: string, amount: number): QuickBooksEntity {
    const { DisplayName, CurrencyRef } = this.get('Customer', customer);
    return this.add(entity, {
      DocNumber: `R-${this.lastId.transactions + 1}`,
      TxnDate: day(this.clock.now()),
      CustomerRef: { value: customer, name: DisplayName },
      CurrencyRef,
      PaymentMethodRef: { value: '2', name: 'Cash' },
      TotalAmt: amount,
      Balance: 0,
      Line: [],
    });
  }

  voidInvoice(id: string): QuickBooksEntity {
    const invoice = this.get('Invoice', id);
    this.owe((invoice.CustomerRef as { value: string }).value, -Number(invoice.Balance));
    const lines = (invoice.Line as Fields[]).map((line) => ({ ...line, Amount: 0 }));
    return this.change('Invoice', id, { TotalAmt: 0, Balance: 0, Line: lines, PrivateNote: 'Voided' });
  }

  deleteInvoice(id: string): void {
    const invoice = this.get('Invoice', id);
    this.owe((invoice.CustomerRef as { value: string }).value, -Number(invoice.Balance));
    this.remove('Invoice', id);
  }

  /** Two customers become one: what the losing one had is the survivor's, and it is hidden from then on. */
  merge(survivor: string, loser: string): void {
    const into = { value: survivor, name: this.get('Customer', survivor).DisplayName };
    for (const entity of [...SALES, 'TimeActivity']) {
      for (const record of this.all(entity)) {
        if ((record.CustomerRef as { value: string }).value === loser)
          this.change(entity, record.Id, { CustomerRef: into });
      }
    }
    const gone = this.change('Customer', loser, { Active: false });
    this.owe(survivor, Number(gone.Balance));
    this.change('Customer', survivor, {});
  }

  /** Notes the mail an invoice was sent with. */
  mail(id: string, to: string): QuickBooksEntity {
    const at = this.clock.now();
    this.mails.push({ invoice: id, to, at });
    const delivery = { DeliveryType: 'Email', DeliveryTime: stamp(at.getTime()) };
    return this.change('Invoice', id, { BillEmail: { Address: to }, EmailStatus: 'EmailSent', DeliveryInfo: delivery });
  }

  override report(): Record<string, number> {
    return { ...super.report(), 'invoices mailed': this.mails.length };
  }
}
