# What the TAP scripts share: a database of their own on the server that
# test/with_server.sh started, and the folder of real data, which may be absent.
package TokenomicsTest;
use strict;
use warnings;
use Digest::MD5;
use Exporter 'import';
use Fcntl qw(:flock);
use File::Basename qw(basename dirname);
use File::Spec;
use IO::Handle;
use IPC::Open2;
use IPC::Open3;
use Test::More;

our @EXPORT = qw(psql psql_error end_session database company_database data_file import_document project_file load_servegen load_mooncake load_azure);

my $database = 'tap_' . basename($0) =~ s/\W/_/gr;

# Makes this script's database, with the extension, of a version where one is
# given, and an install in "llm".
sub database {
    my ($version) = @_;
    return copy_of('empty', sub { }) if !defined $version;
    $ENV{PGDATABASE} = 'postgres';
    psql("DROP DATABASE IF EXISTS $database");
    psql("CREATE DATABASE $database");
    $ENV{PGDATABASE} = $database;
    psql("SET client_min_messages = warning; CREATE EXTENSION tokenomics VERSION '$version' CASCADE; CALL tokenomics.install('llm')");
    return set_up_database();
}

# Makes this script's database, with the company of the demo in "llm".
sub company_database {
    return copy_of('company', \&load_company);
}

# What scripts begin with is made once for all that a server runs, in a database
# that they copy.  Its name changes with the source, so that a server that stays up
# is no trap; of scripts that run at the same time one makes it, and the others wait.
sub copy_of {
    my ($name, $fill) = @_;
    my $digest = Digest::MD5->new;
    # the lock is one of this server: who waits for that of another could go on beside who comes after it is gone
    $digest->add(join "\0", map { $_ // '' } @ENV{qw(PGHOST PGPORT)});
    for my $file (project_file('test', 'demo', 'company.sql'), sort(glob(project_file('src', '*')))) {
        next if $file !~ /\.(?:sql|[ch])$/;
        open my $in, '<:raw', $file or die "$file: $!";
        $digest->addfile($in);
    }
    my $template = "tap_${name}_" . substr $digest->hexdigest, 0, 12;
    $ENV{PGDATABASE} = 'postgres';
    psql("DROP DATABASE IF EXISTS $database");
    # another test may be making it
    my $lock_file = File::Spec->catfile(File::Spec->tmpdir, "$template.$<.lock");
    open my $lock, '>', $lock_file or die "$lock_file: $!";
    flock $lock, LOCK_EX or die "$lock_file: $!";
    if (psql("SELECT count(*) FROM pg_database WHERE datname = '$template'") == 0) {
        psql("CREATE DATABASE $database");
        $ENV{PGDATABASE} = $database;
        psql("SET client_min_messages = warning; CREATE EXTENSION tokenomics CASCADE; CALL tokenomics.install('llm')");
        set_up_database();
        $fill->();
        $ENV{PGDATABASE} = 'postgres';
        psql("ALTER DATABASE $database RENAME TO $template");
    }
    psql("CREATE DATABASE $database TEMPLATE $template");
    close $lock;
    unlink $lock_file;
    return set_up_database();
}

sub load_company {
    psql('SELECT count(*) FROM load_default_prices()');
    my ($output, $status) = run_psql('-o', '/dev/null', '-f', project_file('test', 'demo', 'company.sql'));
    die "company.sql failed: $output" if $status != 0;
    psql('VACUUM ANALYZE');
    return;
}

# What a copy of a database does not carry.
sub set_up_database {
    $ENV{PGDATABASE} = $database;
    psql("ALTER DATABASE $database SET search_path = llm, tokenomics, public; ALTER DATABASE $database SET timezone = 'UTC'");
    return $database;
}

sub run_psql {
    my @arguments = @_;
    my $pid = open3(my $in, my $out, undef, 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', @arguments);
    close $in;
    my $output = do { local $/; <$out> };
    waitpid $pid, 0;
    chomp $output;
    return ($output, $? >> 8);
}

# Runs SQL and returns its output, rows by line and columns by '|'.
sub psql {
    my ($sql) = @_;
    my ($output, $status) = run_sql($sql);
    die "psql failed: $output\n$sql" if $status != 0;
    return $output;
}

# Runs SQL that must fail, and returns the message.
sub psql_error {
    my ($sql) = @_;
    my ($output, $status) = run_sql($sql);
    return $status == 0 ? 'no error' : $output;
}

# What run_psql('-c', $sql) says, by one psql for as long as the script stays in a
# database: to start a program and a backend costs more than most statements.  Each
# text is sent whole, as -c sends it, and what it leaves in its session is discarded.
# An error ends the session; so does what only a new one sees, or a new one must not.
my %session = (of => '');

sub run_sql {
    my ($sql) = @_;
    # a command of psql, or a transaction that may be left open
    return run_psql('-c', $sql) if $sql =~ /^\s*\\/ || $sql =~ /\b(?:BEGIN|START TRANSACTION)\b/i;
    my $of = join "\0", $$, map { "$_=$ENV{$_}" } grep { /^PG/ } sort keys %ENV;
    end_session() if $session{of} ne $of;
    if (!$session{of}) {
        my $pid = open2(my $out, my $in, 'sh', '-c', 'exec psql -XqAt -v ON_ERROR_STOP=1 2>&1');
        $in->autoflush(1);
        %session = (of => $of, pid => $pid, in => $in, out => $out);
    }
    my $text = $sql =~ s/([\\'])/\\$1/gr =~ s/\n/\\n/gr;
    utf8::encode($text) if utf8::is_utf8($text);
    my $end = '--end of ' . ++$session{n} . '--';
    print { $session{in} } "\\set sql '$text'\nSELECT :'sql' \\gexec\n\\echo '$end'\nDISCARD ALL;\n";
    my ($output, $line) = ('');
    $output .= $line while defined($line = readline $session{out}) && $line ne "$end\n";
    my $status = defined $line ? 0 : end_session() || 1;
    end_session() if $sql =~ /\b(?:(?:ALTER|CREATE|DROP)\s+(?:DATABASE|EXTENSION|ROLE)|ALTER\s+SYSTEM)\b/i;
    chomp $output;
    return ($output =~ s/^psql:<stdin>:\d+: //mgr, $status);
}

# Ends the session of this script, and returns the status of its psql; for who
# ends the server, too.
sub end_session {
    my $pid = $session{pid};
    my $is_mine = $session{of} =~ /^$$\0/;
    close $session{$_} for grep { $session{$_} } qw(in out);
    %session = (of => '');
    return 0 if !$is_mine;
    local $?;
    waitpid $pid, 0;
    return $? >> 8;
}
# before the script's temporary folders go, and its status is what it was
END { end_session() }

sub project_file { return File::Spec->rel2abs(File::Spec->catfile(dirname(__FILE__), '..', @_)) }

# The path of a file of real data, or undef; the folder is that of
# TOKENOMICS_DATA, or the one beside the checkout.
sub data_file {
    my ($name) = @_;
    my $file = ($ENV{TOKENOMICS_DATA} // project_file('..', 'shared', 'data')) . "/$name";
    return -e $file ? $file : undef;
}

# Loads a JSON document, packed or not, into the table "document".
sub import_document {
    my ($file) = @_;
    my $text = $file =~ /\.gz$/ ? qx(gzip -dc '$file') : qx(cat '$file');
    my $pid = open3(my $in, my $out, undef, 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1');
    my $quoted = $text =~ s/\\/\\\\/gr =~ s/\n/ /gr =~ s/\t/ /gr;
    print $in "CREATE TABLE IF NOT EXISTS document (body jsonb); TRUNCATE document; COPY document FROM stdin;\n$quoted\n\\.\n";
    close $in;
    my $output = do { local $/; <$out> };
    waitpid $pid, 0;
    die "loading $file failed: $output" if $? != 0;
    return;
}

# ServeGen's DeepSeek-R1, unpacked in a folder, as view "reported" of calls in
# buckets of 10 minutes.
sub load_servegen {
    my ($dir) = @_;
    # Per client and 10 minutes the rate of calls; per client and 6 hours how
    # long inputs and outputs were, and which share of the output was reasoning.
    open my $rates, '>', "$dir/rates" or die $!;
    open my $lengths, '>', "$dir/lengths" or die $!;
    for my $path (glob "$dir/data/reason/deepseek-r1/*") {
        my ($client, $kind) = $path =~ m{chunk-(\d+)-(trace|dataset)\.} or die $path;
        open my $in, '<', $path or die $!;
        my $text = do { local $/; <$in> };
        if ($kind eq 'trace') {
            printf $rates "%s\t%s\t%s\n", $client, (split /,/)[0, 1] for split /\n/, $text;
        }
        else {
            # {294: 0.01, ...} is no JSON: its keys are numbers
            printf $lengths "%s\t%s\n", $client, $text =~ s/([{ ])(\d[\d.e-]*):/$1\\\\"$2\\\\":/gr =~ s/\s+/ /gr;
        }
    }
    close $rates;
    close $lengths;
    psql('CREATE TABLE rate (client int, second int, per_second numeric); CREATE TABLE length (client int, body jsonb)');
    psql("\\copy rate FROM '$dir/rates'");
    psql("\\copy length FROM '$dir/lengths'");
    psql(q(CREATE TABLE mean AS
        SELECT client, w.key::int AS second, d.key AS what, sum(e.key::numeric * e.value::numeric) AS mean
        FROM length, jsonb_each(body) w, jsonb_each_text(w.value) d, jsonb_each_text(d.value::jsonb) e GROUP BY 1, 2, 3));
    # a row is the calls of one client in 10 minutes, as a usage report has them
    psql(q(CREATE VIEW reported AS
        SELECT timestamptz '2025-03-01 00:00+00' + r.second * interval '1 second' AS at, 'deepseek' AS provider, 'deepseek-reasoner' AS model,
               n.calls, 'client ' || r.client AS user_id, 'client ' || r.client || ' at ' || r.second AS request_id,
               tokens_from_openai(jsonb_build_object('prompt_tokens', round(n.calls * i.mean), 'completion_tokens', round(n.calls * o.mean),
                   'completion_tokens_details', jsonb_build_object('reasoning_tokens', round(n.calls * o.mean * q.mean)))) AS tokens
        FROM rate r CROSS JOIN LATERAL (SELECT round(r.per_second * 600)::bigint AS calls) n
        JOIN mean i ON (i.client, i.second, i.what) = (r.client, r.second / 21600 * 21600, 'input_tokens')
        JOIN mean o ON (o.client, o.second, o.what) = (r.client, r.second / 21600 * 21600, 'output_tokens')
        JOIN mean q ON (q.client, q.second, q.what) = (r.client, r.second / 21600 * 21600, 'reason_ratio')
        WHERE n.calls > 0));
    return;
}

# Mooncake's synthetic trace as view "synthetic" of calls.
sub load_mooncake {
    my ($file) = @_;
    psql('CREATE TABLE line (n bigint GENERATED ALWAYS AS IDENTITY, body jsonb)');
    psql("\\copy line (body) FROM PROGRAM 'gzip -dc ''$file'''");
    # A block of 512 tokens that an earlier call had is read from the cache, from
    # the first block on until one was not; the last block may be shorter.
    psql(q(CREATE TABLE block AS SELECT l.n, b.i, b.id::int AS id, min(l.n) OVER (PARTITION BY b.id) < l.n AS is_known
           FROM line l, jsonb_array_elements_text(l.body -> 'hash_ids') WITH ORDINALITY AS b(id, i)));
    psql(q(CREATE VIEW synthetic AS
        SELECT timestamptz '2025-02-25 00:00+00' + (l.body ->> 'timestamp')::bigint * interval '1 millisecond' AS at, 'mooncake' AS provider, 'kimi' AS model, 'm' || l.n AS request_id,
               tokens_from_openai(jsonb_build_object('prompt_tokens', l.body -> 'input_length', 'completion_tokens', l.body -> 'output_length',
                   'prompt_tokens_details', jsonb_build_object('cached_tokens', least(512 * k.blocks, (l.body ->> 'input_length')::bigint)))) AS tokens
        FROM line l JOIN (SELECT b.n, count(*) FILTER (WHERE b.is_prefix) AS blocks
                          FROM (SELECT n, bool_and(is_known) OVER (PARTITION BY n ORDER BY i) AS is_prefix FROM block) b GROUP BY b.n) k ON k.n = l.n));
    return;
}

# Azure's trace of code completions as table "azure".
sub load_azure {
    my ($file) = @_;
    psql('CREATE TABLE azure (at timestamp, context_tokens bigint, generated_tokens bigint)');
    psql("\\copy azure FROM PROGRAM 'gzip -dc ''$file''' CSV HEADER");
    return;
}

1;
