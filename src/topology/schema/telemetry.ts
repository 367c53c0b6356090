/** What a run reports beyond its metrics and events, which are always written. */
import { z } from 'zod';

export const telemetrySchema = z.strictObject({
  tracing: z.boolean().default(false).describe('Make OpenTelemetry spans of messages between actors.'),
});
