import { defineConfig } from 'vite';

export default defineConfig({
  // Everything is a file of its own with a hashed name: the Content-Security-Policy allows neither inline scripts nor data: URLs,
  // and the server may call the hashed files immutable.
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
});
