# make.pl symbols | scripts: what brings a released version up to this one.
# "make upgrade-script" runs both.
#
# symbols writes src/retired.c, where a released script names C functions that are
# there no more.  scripts, on the server of test/with_server.sh, makes an extension
# and an install of each released version and of this one, compares their catalogs
# object by object, and writes
#   src/upgrade/tokenomics--RELEASED--THIS.sql  for ALTER EXTENSION UPDATE, and
#   src/retired.sql                             for install(), by renew.sql.
# What cannot be done without loss it says, and writes nothing.
#
# To release: name the day in CHANGELOG.md, run "make upgrade-script" and
# test/t/064_upgrade.pl, and tag.  Then copy src/tokenomics--THIS.sql into this
# folder and raise the version in tokenomics.control, META.json and CHANGELOG.md.
use strict;
use warnings;
use FindBin;
use JSON::PP;

my $src = "$FindBin::Bin/..";
my ($this) = slurp("$src/../tokenomics.control") =~ /^default_version = '(.*)'/m;
my @released = sort { by_version($a) cmp by_version($b) } grep { $_ ne $this }
  map { m{/tokenomics--([^/]+)\.sql$} && $1 !~ /--/ ? $1 : () } glob "$src/upgrade/tokenomics--*.sql";
my @problems;
my $what = shift // '';
if    ($what eq 'symbols') { symbols() }
elsif ($what eq 'scripts') { scripts() }
else                       { die "usage: make.pl symbols | scripts\n" }

sub by_version { return join '.', map { sprintf '%06d', $_ } split /\./, shift }

sub slurp {
    my ($name) = @_;
    open my $in, '<', $name or die "$name: $!\n";
    local $/;
    return <$in>;
}

sub spew {
    my ($name, $text) = @_;
    return if -e $name && slurp($name) eq $text;
    open my $out, '>', $name or die "$name: $!\n";
    print $out $text;
    close $out;
    print "$name\n" =~ s{.*/\.\./}{}r =~ s{^(?=\w+\.)}{src/}r;
    return;
}

# Old scripts must run with the new library, if only to be updated at once.
sub symbols {
    my %is_there;
    for my $object (map { s/c$/o/r } grep { !/retired\.c$/ } glob "$src/*.c") {
        my $symbols = qx(nm --defined-only "$object");
        $is_there{$1} = 1 while $symbols =~ /\bpg_finfo_(\w+)/g;
    }
    die "there is no library: run make\n" if !%is_there;
    my %lost;
    for my $version (@released) {
        my $text = slurp("$src/upgrade/tokenomics--$version.sql");
        while ($text =~ /^CREATE FUNCTION (\w+)\([^;]*?\bAS 'MODULE_PATHNAME'(?:, '(\w+)')? LANGUAGE C\b/msg) {
            $lost{ $2 // $1 } = $version if !$is_there{ $2 // $1 };
        }
    }
    if (!%lost) {
        unlink "$src/retired.c", "$src/retired.o";
        return;
    }
    spew("$src/retired.c", <<'C' . join '', map { "RETIRED_FUNCTION($_)\n" } sort keys %lost);
/*-------------------------------------------------------------------------
 *
 * retired.c
 *	  C functions that scripts of released versions name and this one does
 *	  without: CREATE EXTENSION VERSION and a restored dump must find them,
 *	  to be updated.  Written by "make upgrade-script"; do not edit.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#define RETIRED_FUNCTION(name) \
	SQL_FUNCTION(name); \
	Datum \
	name(PG_FUNCTION_ARGS) \
	{ \
		ereport(ERROR, \
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED), \
				errmsg("function \"%s\" is one of an older version of tokenomics", #name), \
				errhint("Run ALTER EXTENSION tokenomics UPDATE.")); \
	}

C
    return;
}

sub psql {
    my ($database, @arguments) = @_;
    open my $out, '-|', 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $database, @arguments or die "psql: $!\n";
    my @lines = <$out>;
    close $out or die "psql failed\n";
    return join '', @lines;
}

# A database with the extension, and an install.
sub database {
    my ($version) = @_;
    my $name = "upgrade_$version";
    psql('postgres', '-c', 'SET client_min_messages = warning', '-c', "DROP DATABASE IF EXISTS \"$name\"", '-c', "CREATE DATABASE \"$name\"");
    psql($name, '-c', "SET client_min_messages = warning; CREATE EXTENSION tokenomics VERSION '$version' CASCADE; CALL tokenomics.install('llm')");
    return $name;
}

sub objects {
    my ($name) = @_;
    my %part;
    for (split /\n/, psql($name, '-f', "$src/upgrade/objects.sql")) {
        my $object = JSON::PP->new->decode($_);
        $part{ $object->{part} }{ $object->{identity} ? join ' ', grep { defined } @$object{qw(class identity)} : '' } = $object;
    }
    return \%part;
}

sub literal {
    my ($value) = @_;
    return 'NULL' if !defined $value;
    return "'" . $value =~ s/'/''/gr . "'";
}

# To JSON and back: two values are the same in all their parts.
sub same {
    my ($one, $other) = map { JSON::PP->new->canonical->allow_nonref->encode($_) } @_;
    return $one eq $other;
}

sub scripts {
    die "there is no released version\n" if !@released;
    my $new_database = database($this);
    my $new = objects($new_database);
    # what shape() is in this version tells old and new apart
    my $shape = psql($new_database, '-c', "SELECT pg_get_functiondef('tokenomics.shape'::regproc) || ';'");
    my (@retired, $old);
    for my $version (@released) {
        my $name = database($version);
        psql($name, '-c', $shape) if psql($name, '-c', "SELECT count(*) FROM pg_proc WHERE oid = to_regproc('tokenomics.shape')") == 0;
        $old = objects($name);
        push @retired, retired($version, $old, $new);
        psql('postgres', '-c', "DROP DATABASE \"$name\"") if $version ne $released[-1];
    }
    my %seen;
    @retired = grep { !$seen{ join "\0", map { $_ // '' } @$_ }++ } @retired;
    my $n = 0;
    my $retired_sql = slurp("$src/retired.sql");
    my $rows = @retired
      ? "VALUES\n" . join(",\n", map { $n++; '    (' . join(', ', $n, map { literal($_) } @$_) . ')' } @retired) . ';'
      : 'SELECT NULL::integer, NULL::text, NULL::text, NULL::text, NULL::text WHERE false;';
    $retired_sql =~ s/(BEGIN ATOMIC\n).*?(\nEND;\nCOMMENT)/$1$rows$2/s;
    psql($new_database, '-c', "SET search_path = tokenomics; " . $retired_sql =~ s/^CREATE FUNCTION/CREATE OR REPLACE FUNCTION/mr);
    $new = objects($new_database);
    my $script = upgrade($old, $new);
    psql('postgres', '-c', "DROP DATABASE \"upgrade_$_\"") for $released[-1], $this;
    if (@problems) {
        print STDERR map { "upgrade: $_\n" } @problems;
        exit 1;
    }
    spew("$src/retired.sql", $retired_sql);
    spew("$src/upgrade/tokenomics--$released[-1]--$this.sql", $script);
    return;
}

# What of an install cannot be replaced in place.
sub retired {
    my ($version, $old, $new) = @_;
    my @rows;
    for my $kind ('view', 'function') {
        for (sort keys %{ $old->{$kind} }) {
            my ($was, $is) = ($old->{$kind}{$_}, $new->{$kind}{$_});
            if (!$is) {
                push @rows, [$kind, $_, $was->{shape_and_comment}, undef];
            } elsif ($was->{shape} ne $is->{shape}
                && !($kind eq 'view' && join(',', @{ $was->{columns} }) eq join(',', @{ $is->{columns} }[0 .. $#{ $was->{columns} }]))) {
                push @rows, [$kind, $_, $was->{shape}, $is->{shape}];
            }
        }
    }
    for my $table (sort keys %{ $old->{table} }) {
        my ($was, $is) = ($old->{table}{$table}, $new->{table}{$table});
        if (!$is) {
            push @problems, "table $table of version $version is made no more: it holds data; go on making it, or move the data in its install procedure and drop it there";
            next;
        }
        my @columns = @{ $is->{columns} };
        for my $i (0 .. $#{ $was->{columns} }) {
            my ($one, $other) = ($was->{columns}[$i], $columns[$i]);
            if (!$other || $one->[0] ne $other->[0] || $one->[1] ne $other->[1] || $one->[4] ne $other->[4]) {
                push @problems, "column $i of table $table was \"$one->[0] $one->[1]\" in version $version, and is \"" . ($other ? "$other->[0] $other->[1]" : 'none') . '": add columns behind the others, and change none';
                next;
            }
            push @rows, ['default', "$table.$one->[0]", $one->[2], $other->[2]] if !same($one->[2], $other->[2]);
            push @rows, ['not null', "$table.$one->[0]", $one->[3] ? 'SET' : 'DROP', $other->[3] ? 'SET' : 'DROP'] if !same($one->[3], $other->[3]);
        }
        for (@columns[ @{ $was->{columns} } .. $#columns ]) {
            my ($name, $type, $default, $is_not_null, $generated) = @$_;
            push @problems, "column $name of table $table is new, and NOT NULL without a default: rows of version $version have no value for it" if $is_not_null && !defined $default && $generated eq '';
            push @problems, "column $name of table $table is new, and generated: add it in its install procedure" if $generated ne '';
            push @rows, ['column', "$table.$name", undef, join ' ', $type, (defined $default ? "DEFAULT $default" : ()), ($is_not_null ? 'NOT NULL' : ())];
        }
        for my $kind ('constraint', 'index') {
            my ($were, $are) = map { $_->{ $kind eq 'index' ? 'indexes' : 'constraints' } // {} } $was, $is;
            my %all = (%$were, %$are);
            for (sort keys %all) {
                next if same($were->{$_}, $are->{$_}) || $kind eq 'index' && !defined $were->{$_};
                push @rows, [$kind, "$table.$_", $were->{$_}, $are->{$_}];
            }
        }
    }
    return @rows;
}

sub drop { my ($o) = @_; return 'DROP ' . uc($o->{kind}) . " $o->{identity};" }

# The script that makes the new of the old extension.
sub upgrade {
    my ($old, $new) = ($_[0]{extension}, $_[1]{extension});
    my $schema_comment = $_[1]{schema}{''}{comment};
    my (%redo, %replace, %extend);
    for (sort { $old->{$a}{oid} <=> $old->{$b}{oid} } keys %$old) {
        my ($was, $is) = ($old->{$_}, $new->{$_});
        if (!$is) {
            $redo{$_} = 1;
        } elsif ($was->{sql} ne $is->{sql}) {
            if ($was->{class} eq 'pg_proc') {
                if ($was->{signature} eq $is->{signature}) { $replace{$_} = 1 }
                else                                       { $redo{$_} = 1 }
            } elsif ($was->{columns} && $is->{columns}
                && same([map { [@$_[0, 1]] } @{ $was->{columns} }], [map { [@$_[0, 1]] } @{ $is->{columns} }[0 .. $#{ $was->{columns} }]])) {
                $extend{$_} = 1;
            } elsif ($was->{class} eq 'pg_operator' || $was->{class} eq 'pg_cast') {
                $redo{$_} = 1;
            } else {
                push @problems, "$was->{kind} $was->{identity} has changed, and cannot be altered:\n$was->{sql}\n$is->{sql}";
            }
        }
        # the old script runs with the new library until it is updated
        print STDERR "upgrade: note: C function $was->{symbol} of $was->{identity} has other arguments or results than before: see that it refuses those, or name the new one otherwise\n"
          if $is && defined $was->{symbol} && $was->{symbol} eq ($is->{symbol} // '') && $was->{types} ne $is->{types};
    }
    # what depends on what goes, goes and comes back
    my %by_oid = map { $old->{$_}{oid} => $_ } keys %$old;
    my @todo = keys %redo;
    while (defined(my $key = shift @todo)) {
        for my $user (@{ $old->{$key}{users} // [] }) {
            if ($user !~ /^\d+$/) {
                # its parts, such as the implicit array type, and an install
                push @problems, "$user needs $old->{$key}{kind} $old->{$key}{identity}, which is gone or cannot be replaced: keep it" if $user !~ /^(?:type .*\[\]|composite type|function \d+ |operator \d+ )/;
                next;
            }
            my $other = $by_oid{$user};
            next if !defined $other || $redo{$other}++;
            push @problems, "$old->{$other}{kind} $old->{$other}{identity} needs $old->{$key}{kind} $old->{$key}{identity}, which is gone or cannot be replaced: keep it"
              if $old->{$other}{class} !~ /^pg_(?:proc|operator|cast)$/ && $new->{$other};
            push @todo, $other;
        }
    }
    my @script = (
        '\echo Use "ALTER EXTENSION tokenomics UPDATE" to load this file. \quit',
        "-- Written by \"make upgrade-script\"; do not edit.\n",
        "SET LOCAL search_path = pg_catalog, pg_temp;\n",
    );
    push @script, map { drop($old->{$_}) } sort { $old->{$b}{oid} <=> $old->{$a}{oid} } keys %redo;
    my %pending;    # types of which only the shell is made, by their last function
    for my $key (sort { $new->{$a}{oid} <=> $new->{$b}{oid} } keys %$new) {
        my ($was, $is) = ($redo{$key} ? undef : $old->{$key}, $new->{$key});
        my @comments;
        if ($extend{$key}) {
            for (@{ $is->{columns} }[ @{ $was->{columns} } .. $#{ $is->{columns} } ]) {
                push @script, "ALTER TYPE $is->{identity} ADD ATTRIBUTE $_->[0] $_->[1];";
            }
        } elsif (!$was && $is->{io}) {
            push @script, "CREATE TYPE $is->{identity};";
            $pending{$key} = 1;
            next;
        } elsif (!$was || $replace{$key}) {
            if (!defined $is->{sql} || $is->{sql} =~ /which make\.pl cannot write$/) {
                push @problems, "$is->{kind} $is->{identity} is new, and of a kind that make.pl cannot write";
                next;
            }
            push @script, $was ? $is->{sql} : $is->{sql} =~ s/^CREATE OR REPLACE /CREATE /r;
        }
        push @script, comments($was, $is);
        for (grep { $new->{$_}{io} <= $is->{oid} } sort keys %pending) {
            push @script, $new->{$_}{sql}, comments(undef, $new->{$_});
            delete $pending{$_};
        }
    }
    push @script, map { ($new->{$_}{sql}, comments(undef, $new->{$_})) } sort keys %pending;
    push @script, 'COMMENT ON SCHEMA tokenomics IS ' . literal($schema_comment) . ';' if !same($_[0]{schema}{''}{comment}, $schema_comment);
    return join("\n", @script) =~ s/[ \t]+$//mgr . "\n";
}

sub comments {
    my ($was, $is) = @_;
    $was //= { is_public => 1 };    # as functions are made
    my @sql;
    push @sql, 'COMMENT ON ' . uc($is->{kind}) . " $is->{identity} IS " . literal($is->{comment}) . ';' if !same($was->{comment}, $is->{comment});
    my %were = map { $_->[0] => $_->[2] } @{ $was->{columns} // [] };
    for (@{ $is->{columns} // [] }) {
        push @sql, "COMMENT ON COLUMN $is->{identity}.$_->[0] IS " . literal($_->[2]) . ';' if !same($were{ $_->[0] }, $_->[2]);
    }
    if ($is->{class} eq 'pg_proc' && !$was->{is_public} ne !$is->{is_public}) {
        push @sql, ($is->{is_public} ? 'GRANT EXECUTE' : 'REVOKE ALL') . " ON ROUTINE $is->{identity} " . ($is->{is_public} ? 'TO' : 'FROM') . ' PUBLIC;';
    }
    return @sql;
}
