import { defineConfig } from 'tsup';
import { library } from '../../tsup.config.base.ts';

export default defineConfig(
  library({ node: 'src/node.ts', express: 'src/express.ts', hono: 'src/hono.ts', fetch: 'src/fetch.ts' }),
);
