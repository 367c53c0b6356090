/** Keys of a config and their values, as JSON has them. */
export type Keys = Readonly<Record<string, unknown>>;
