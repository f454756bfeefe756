import type { Language } from '../../settings/schema.ts';

/**
 * What a trigger is about, in words for the person it happened to; by the part of its name before the dot, or its whole
 * name where that says more.
 */
export const EVENTS: Record<string, Record<Language, string>> = {
  job: {
    en: 'work for you was completed',
    de: 'eine Arbeit für Sie wurde abgeschlossen',
    fr: 'un travail pour vous est terminé',
    es: 'se terminó un trabajo para usted',
  },
  service: { en: 'a service is due', de: 'ein Service ist fällig', fr: 'un entretien est dû', es: 'toca un servicio' },
  'service.anniversary': {
    en: 'the anniversary of your first service',
    de: 'der Jahrestag Ihres ersten Service',
    fr: "l'anniversaire de votre premier service",
    es: 'el aniversario de su primer servicio',
  },
  warranty: {
    en: 'a warranty is ending',
    de: 'eine Garantie läuft aus',
    fr: 'une garantie se termine',
    es: 'termina una garantía',
  },
  contract: {
    en: 'a contract is ending',
    de: 'ein Vertrag läuft aus',
    fr: 'un contrat se termine',
    es: 'termina un contrato',
  },
  interest: {
    en: 'you showed interest',
    de: 'Sie haben Interesse gezeigt',
    fr: 'vous avez montré de l’intérêt',
    es: 'usted mostró interés',
  },
  promotion: { en: 'an offer', de: 'ein Angebot', fr: 'une offre', es: 'una oferta' },
  invoice: { en: 'an invoice', de: 'eine Rechnung', fr: 'une facture', es: 'una factura' },
  'invoice.overdue': {
    en: 'an invoice is overdue',
    de: 'eine Rechnung ist überfällig',
    fr: 'une facture est en retard',
    es: 'una factura está vencida',
  },
  payment: { en: 'a payment', de: 'eine Zahlung', fr: 'un paiement', es: 'un pago' },
  client: {
    en: 'nothing was heard of you for a while',
    de: 'von Ihnen war eine Weile nichts zu hören',
    fr: 'sans nouvelles de vous depuis un moment',
    es: 'no se supo de usted por un tiempo',
  },
  deal: {
    en: 'your order or quote',
    de: 'Ihr Auftrag oder Angebot',
    fr: 'votre commande ou devis',
    es: 'su pedido o presupuesto',
  },
  ticket: { en: 'your request', de: 'Ihre Anfrage', fr: 'votre demande', es: 'su solicitud' },
  account: { en: 'your account', de: 'Ihr Konto', fr: 'votre compte', es: 'su cuenta' },
  order: { en: 'your order', de: 'Ihre Bestellung', fr: 'votre commande', es: 'su pedido' },
  appointment: { en: 'your appointment', de: 'Ihr Termin', fr: 'votre rendez-vous', es: 'su cita' },
  birthday: { en: 'your birthday', de: 'Ihr Geburtstag', fr: 'votre anniversaire', es: 'su cumpleaños' },
  survey: {
    en: 'your answer to a survey',
    de: 'Ihre Antwort auf eine Umfrage',
    fr: 'votre réponse à une enquête',
    es: 'su respuesta a una encuesta',
  },
  nps: {
    en: 'your answer to a survey',
    de: 'Ihre Antwort auf eine Umfrage',
    fr: 'votre réponse à une enquête',
    es: 'su respuesta a una encuesta',
  },
  customer: { en: 'you are a customer', de: 'Sie sind Kunde', fr: 'vous êtes client', es: 'usted es cliente' },
};

/** What happened, in a language; undefined for what only the business's own words tell. */
export const eventIn = (trigger: string, language: Language): string | undefined =>
  (EVENTS[trigger] ?? EVENTS[trigger.split('.')[0]!])?.[language];
