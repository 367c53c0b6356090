/** Whether tests run where what is lacked is a failure: `CI` is set, as systems set it, to anything but nothing, `0`, `false`. */
export const isCi = ({ CI = '' }: NodeJS.ProcessEnv): boolean => !['', '0', 'false'].includes(CI);
