/** The tutorial, from beginning to end. */
import { readPages } from './reader.ts';

readPages(['docs/tutorial.md']);
