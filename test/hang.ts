/**
 * Milliseconds after which a program that a test waits for hangs, whatever else the machine does. Less than `testTimeout`,
 * so that what it has said by then is shown.
 */
export const hangMs = 500_000;
