/**
 * What is fresh of a run's parameters begins with initial values. The others are handed out once all roles are there, and are 0 until then:
 * nobody makes values that are replaced.
 */

/** Names of parameters; null: all. */
export type Fresh = ReadonlySet<string> | null;
