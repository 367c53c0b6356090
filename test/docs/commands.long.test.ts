/** Every shell command and program of the documentation is run, but for the tutorial's, which are many. */
import { blocksOf, pages } from './page.ts';
import { isTried, readPages } from './reader.ts';

readPages(pages.filter((page) => page !== 'docs/tutorial.md' && blocksOf(page).some(isTried)));
