/* Prints what failed, and last "N passed, N failed", as tests/run.sh counts. */
export default async function* report(events) {
    let passed = 0;
    let failed = 0;
    for await (const { type, data } of events) {
        const isTest = data.details?.type !== 'suite';
        if (type === 'test:pass' && isTest && data.skip === undefined) passed++;
        if (type === 'test:fail' && isTest) {
            failed++;
            const { error } = data.details;
            yield `FAILED: ${data.name} (${data.file ?? ''}:${data.line ?? ''})\n${error.cause?.stack ?? error.stack}\n`;
        }
        if (type === 'test:diagnostic' && data.message.startsWith('note: ')) yield `${data.message}\n`;
    }
    yield `${passed} passed, ${failed} failed\n`;
}
