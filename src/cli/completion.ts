/** `troupe completion SHELL`: prints a script that completes verbs, options and files, made from the commands themselves. */
import type { Command } from 'commander';
import { examples } from './examples.ts';
import { exitCodes } from './failure.ts';
import type { Finish } from './finish.ts';
import { stdout } from './output.ts';
import { UsageError } from './usage_error.ts';

const shells = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Adds the command, which is to be the last; `finish` is told its exit code. */
export function addCompletion(program: Command, finish: Finish): void {
  program
    .command('completion')
    .description('print a script that lets a shell complete this command')
    .argument('<SHELL>', Object.keys(shells).join(', '))
    .addHelpText(
      'after',
      examples([
        ['completion bash', 'in ~/.bashrc: eval "$(troupe completion bash)"'],
        ['completion fish', 'in config.fish: troupe completion fish | source'],
      ]),
    )
    .action((shell: string) => {
      if (!(shell in shells)) throw new UsageError(`completion: found ${shell}, allowed: bash, zsh, fish`);
      stdout.write(shells[shell as keyof typeof shells](verbsOf(program)));
      finish(exitCodes.done, 'output');
    });
}

interface Verb {
  readonly name: string;
  readonly description: string;
  /** Its second words, where it has some. */
  readonly nouns: readonly { readonly name: string; readonly description: string }[];
  /** Of its second words too. */
  readonly options: readonly { readonly flag: string; readonly description: string }[];
}

const help = { flag: '--help', description: 'say what it does, with examples' };

const verbsOf = (program: Command): Verb[] =>
  program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    nouns: command.commands.map((noun) => ({ name: noun.name(), description: noun.description() })),
    options: [
      ...[command, ...command.commands]
        .flatMap(({ options }) => options)
        .map(({ long, description }) => ({ flag: long ?? '', description })),
      help,
    ],
  }));

function bashScript(verbs: readonly Verb[]): string {
  const cases = verbs.map(
    ({ name, options }) => `    ${name}) words="${options.map(({ flag }) => flag).join(' ')}" ;;`,
  );
  const nouns = verbs.flatMap(({ name, nouns }) =>
    nouns.length === 0 ? [] : [`    ${name}) words="${nouns.map((noun) => noun.name).join(' ')}" ;;`],
  );
  return `# troupe: eval "$(troupe completion bash)"
_troupe() {
  local current=\${COMP_WORDS[COMP_CWORD]} words
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
    *) words= ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${verbs.map(({ name }) => name).join(' ')} --help --version"
  elif [ "$COMP_CWORD" -eq 2 ] && [ "\${current#-}" = "$current" ]; then
    case \${COMP_WORDS[1]} in
    completion) words="${Object.keys(shells).join(' ')}" ;;
${nouns.join('\n')}
    *)
      COMPREPLY=($(compgen -f -- "$current"))
      return
      ;;
    esac
  elif [ "\${current#-}" = "$current" ]; then
    COMPREPLY=($(compgen -f -- "$current"))
    return
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o filenames -F _troupe troupe
`;
}

/** zsh runs the script for bash. */
function zshScript(verbs: readonly Verb[]): string {
  return `autoload -Uz bashcompinit && bashcompinit\n${bashScript(verbs).replace('completion bash', 'completion zsh')}`;
}

function fishScript(verbs: readonly Verb[]): string {
  const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = verbs.flatMap(({ name, description, nouns, options }) => [
    `complete -c troupe -f -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
    ...nouns.map(
      (noun) =>
        `complete -c troupe -n '__fish_seen_subcommand_from ${name}' -a ${noun.name} -d ${quoted(noun.description)}`,
    ),
    ...options.map(
      ({ flag, description: meaning }) =>
        `complete -c troupe -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)} -d ${quoted(meaning)}`,
    ),
  ]);
  const names = Object.keys(shells).join(' ');
  return [
    '# troupe: troupe completion fish | source',
    ...lines,
    `complete -c troupe -f -n '__fish_seen_subcommand_from completion' -a ${quoted(names)}`,
    '',
  ].join('\n');
}
