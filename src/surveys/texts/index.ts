import type { Language } from '../../settings/schema.ts';
import { de } from './de.ts';
import { en } from './en.ts';
import { es } from './es.ts';
import { fr } from './fr.ts';
import type { SurveyTexts } from './survey.ts';

export const SURVEY_TEXTS: Record<Language, SurveyTexts> = { en, de, fr, es };
