# What the TAP scripts share: a database of their own on the server that
# test/with_server.sh started, and the folder of real data, which may be absent.
package TokenomicsTest;
use strict;
use warnings;
use Exporter 'import';
use File::Basename qw(basename dirname);
use File::Spec;
use IPC::Open3;
use Test::More;

our @EXPORT = qw(psql psql_error database data_file import_document project_file);

my $database = 'tap_' . basename($0) =~ s/\W/_/gr;

# Makes this script's database, with the extension and an install in "llm".
sub database {
    $ENV{PGDATABASE} = 'postgres';
    run_psql('-c', "DROP DATABASE IF EXISTS $database", '-c', "CREATE DATABASE $database");
    $ENV{PGDATABASE} = $database;
    psql("SET client_min_messages = warning; CREATE EXTENSION tokenomics CASCADE;"
          . "ALTER DATABASE $database SET search_path = llm, tokenomics, public;"
          . "ALTER DATABASE $database SET timezone = 'UTC'; CALL tokenomics.install('llm')");
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
    my ($output, $status) = run_psql('-c', $sql);
    die "psql failed: $output\n$sql" if $status != 0;
    return $output;
}

# Runs SQL that must fail, and returns the message.
sub psql_error {
    my ($sql) = @_;
    my ($output, $status) = run_psql('-c', $sql);
    return $status == 0 ? 'no error' : $output;
}

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

1;
