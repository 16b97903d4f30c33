<?php
// Reports conversions to Tributary, signed, and again when it asks to wait. PHP 8 with openssl (for https).

/** Sends a conversion, or a list of up to 1,000, and returns the result of each. */
function report(array $conversions, string $path = '/t/conversions', int $attempts = 6): array
{
    $body = json_encode($conversions, JSON_THROW_ON_ERROR);
    for ($attempt = 0; $attempt < $attempts; $attempt++) {
        $now = (string) time(); // every attempt is signed anew: a signature lives for 5 minutes
        $signature = hash_hmac('sha256', "$now.$body", getenv('TRIBUTARY_SECRET')); // trb_hmac_…
        $answer = @file_get_contents(getenv('TRIBUTARY_URL') . $path, false, stream_context_create(['http' => [
            'method' => 'POST',
            'content' => $body,
            'timeout' => 10,
            'ignore_errors' => true, // an error's body says why
            'header' => [
                'Content-Type: application/json',
                'Tributary-Key-Id: ' . getenv('TRIBUTARY_SECRET_ID'), // sec_…
                "Tributary-Timestamp: $now",
                "Tributary-Signature: v1=$signature",
            ],
        ]]));
        // No answer leaves 0: an order counts once, so it is safe to send it again.
        $headers = $answer === false ? [] : $http_response_header;
        $status = (int) (explode(' ', $headers[0] ?? '')[1] ?? 0);
        if ($status === 200) {
            return json_decode($answer, true, 512, JSON_THROW_ON_ERROR)['results'];
        }
        if (!in_array($status, [0, 429, 500, 502, 503, 504], true)) {
            throw new RuntimeException("$status: $answer");
        }
        $wait = 2 ** $attempt;
        foreach ($headers as $header) {
            if (stripos($header, 'Retry-After:') === 0) {
                $wait = max($wait, (int) substr($header, strlen('Retry-After:')));
            }
        }
        if ($attempt < $attempts - 1) {
            sleep(min($wait, 60));
        }
    }
    throw new RuntimeException('no answer: keep the conversions and send them later');
}

if (realpath($argv[0] ?? '') === __FILE__) {
    $results = report(json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR), $argv[1] ?? '/t/conversions');
    echo json_encode($results), "\n";
    exit(in_array('rejected', array_column($results, 'status'), true) ? 1 : 0);
}
