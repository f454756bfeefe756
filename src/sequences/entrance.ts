import { isId } from '../base/ids.ts';
import { isLocalDate, type LocalDate } from '../base/time.ts';

/** How somebody enters a sequence when not at its beginning and from today: a campaign says it beside the occurrence. */
export interface Entrance {
  campaign: string;
  /** What days are counted from, where it is not the day of entering. */
  startOn?: LocalDate;
  /** The step to begin with; those before it are left out. */
  step?: string;
}

/** The entrance an occurrence asks for, or undefined. @param data what stands beside the occurrence */
export function entranceOf(data: Record<string, unknown>): Entrance | undefined {
  const asked = data.entrance as Partial<Record<keyof Entrance, unknown>> | undefined;
  if (!asked || !isId(asked.campaign)) return undefined;
  return {
    campaign: asked.campaign,
    ...(isLocalDate(asked.startOn) ? { startOn: asked.startOn } : {}),
    ...(typeof asked.step === 'string' ? { step: asked.step } : {}),
  };
}
