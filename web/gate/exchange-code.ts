// Codes that one scanner shows another; they are no tickets.

/** A part of a signed spent list. */
export const LIST_PREFIX = 'A1SPENT:'
/** A part of what two scanners need to find each other. */
export const LINK_PREFIX = 'A1LINK:'

export const isExchangeCode = (code: string) => code.startsWith(LIST_PREFIX) || code.startsWith(LINK_PREFIX)
