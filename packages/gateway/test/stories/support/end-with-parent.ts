// Loaded into each gateway process before its own code: it ends when the test that started it has gone.
process.on('disconnect', () => process.exit());
process.channel?.unref();
