import { Problem } from '../base/errors.ts';
import { accountApproved } from './catalogue/account-approved.ts';
import { accountClosed } from './catalogue/account-closed.ts';
import { accountCreated } from './catalogue/account-created.ts';
import { accountPlanChanged } from './catalogue/account-plan-changed.ts';
import { accountReactivated } from './catalogue/account-reactivated.ts';
import { accountSuspended } from './catalogue/account-suspended.ts';
import { appointmentMissed } from './catalogue/appointment-missed.ts';
import { appointmentUpcoming } from './catalogue/appointment-upcoming.ts';
import { birthday } from './catalogue/birthday.ts';
import { clientInactive } from './catalogue/client-inactive.ts';
import { contractRenewalDue } from './catalogue/contract-renewal-due.ts';
import { crmFlag } from './catalogue/crm-flag.ts';
import { custom } from './catalogue/custom.ts';
import { customerExisting } from './catalogue/customer-existing.ts';
import { customerUnhappy } from './catalogue/customer-unhappy.ts';
import { dealLost } from './catalogue/deal-lost.ts';
import { dealStageChanged } from './catalogue/deal-stage-changed.ts';
import { dealWon } from './catalogue/deal-won.ts';
import { interestShown } from './catalogue/interest-shown.ts';
import { invoiceDueSoon } from './catalogue/invoice-due-soon.ts';
import { invoiceFirstIssued } from './catalogue/invoice-first-issued.ts';
import { invoiceIssued } from './catalogue/invoice-issued.ts';
import { invoiceOverdue } from './catalogue/invoice-overdue.ts';
import { invoicePaid } from './catalogue/invoice-paid.ts';
import { jobCompleted } from './catalogue/job-completed.ts';
import { manual } from './catalogue/manual.ts';
import { npsDetractor } from './catalogue/nps-detractor.ts';
import { npsPromoter } from './catalogue/nps-promoter.ts';
import { orderApproved } from './catalogue/order-approved.ts';
import { orderScheduled } from './catalogue/order-scheduled.ts';
import { paymentFailed } from './catalogue/payment-failed.ts';
import { promotionActivated } from './catalogue/promotion-activated.ts';
import { reminderUnanswered } from './catalogue/reminder-unanswered.ts';
import { scoreBandChanged } from './catalogue/score-band-changed.ts';
import { segmentEntered } from './catalogue/segment-entered.ts';
import { segmentLeft } from './catalogue/segment-left.ts';
import { serviceAnniversary } from './catalogue/service-anniversary.ts';
import { serviceDue } from './catalogue/service-due.ts';
import { surveyCompleted } from './catalogue/survey-completed.ts';
import { tagAdded } from './catalogue/tag-added.ts';
import { tagRemoved } from './catalogue/tag-removed.ts';
import { ticketClosed } from './catalogue/ticket-closed.ts';
import { ticketStatusChanged } from './catalogue/ticket-status-changed.ts';
import { vipGained } from './catalogue/vip-gained.ts';
import { vipLost } from './catalogue/vip-lost.ts';
import { warrantyExpiring } from './catalogue/warranty-expiring.ts';
import type { TriggerDefinition } from './schema.ts';

/** Every kind of trigger there is. */
export const CATALOGUE: readonly TriggerDefinition[] = [
  jobCompleted,
  interestShown,
  promotionActivated,
  invoiceIssued,
  invoiceFirstIssued,
  invoicePaid,
  paymentFailed,
  crmFlag,
  tagAdded,
  tagRemoved,
  dealStageChanged,
  dealWon,
  dealLost,
  ticketStatusChanged,
  ticketClosed,
  accountCreated,
  accountApproved,
  accountSuspended,
  accountPlanChanged,
  accountClosed,
  accountReactivated,
  orderApproved,
  orderScheduled,
  scoreBandChanged,
  vipGained,
  vipLost,
  customerUnhappy,
  surveyCompleted,
  npsDetractor,
  npsPromoter,
  segmentEntered,
  segmentLeft,
  invoiceDueSoon,
  invoiceOverdue,
  serviceDue,
  warrantyExpiring,
  contractRenewalDue,
  clientInactive,
  appointmentUpcoming,
  appointmentMissed,
  birthday,
  serviceAnniversary,
  customerExisting,
  reminderUnanswered,
  custom,
  manual,
];
/** @throws Problem naming the triggers there are */
export function triggerDefinition(name: string): TriggerDefinition {
  const found = CATALOGUE.find((definition) => definition.name === name);
  if (!found) {
    throw new Problem(422, 'invalid', `There is no trigger "${name}".`, {
      fix: `The triggers are ${CATALOGUE.map((definition) => definition.name).join(', ')}.`,
    });
  }
  return found;
}
