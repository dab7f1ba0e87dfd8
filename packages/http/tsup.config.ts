import { defineConfig } from 'tsup';
import { library } from '../../tsup.config.base.ts';

const hosts = ['elysia', 'express', 'fastify', 'fetch', 'h3', 'hono', 'koa', 'nest', 'node', 'testing'];

export default defineConfig(library(Object.fromEntries(hosts.map((host) => [host, `src/${host}.ts`]))));
