/**
 * Functions that the program knows, by selector. A selector says what calldata looks like; what a
 * contract does with it is the contract's own. Sources: ERC-20, -721, -1155, -2612, -4626, Permit2,
 * WETH9, Safe 1.4.1, OpenZeppelin's Ownable, AccessControl and UUPS, Multicall3, Uniswap.
 */

/** What a function can do beyond moving what its arguments say. */
export type Mark =
  /** Lets another address take tokens, up to an amount. */
  | "approval"
  /** Lets another address take everything, when its flag is true. */
  | "approvalForAll"
  /** Changes who controls a contract or what code it runs. */
  | "admin"
  /** The same, and then runs code of the new implementation. */
  | "adminCall"
  /** Agrees to a hash whose content cannot be seen. */
  | "hash"
  /** Runs one inner call, or a delegatecall. */
  | "execute"
  /** Runs calls that are packed in Safe's own form. */
  | "multiSend"
  /** Runs several calls of the same contract. */
  | "selfCalls"
  /** Runs several calls of any contracts. */
  | "calls";

/** One row: selector, standard, signature, and what is special about it. */
export type FunctionRow = readonly [
  selector: string,
  standard: string,
  signature: string,
  mark?: Mark,
];

/** The table. Rows with the same selector are readings of the same bytes. */
export const FUNCTIONS: readonly FunctionRow[] = [
  ["0xa9059cbb", "ERC-20", "transfer(address to, uint256 amount)"],
  ["0x23b872dd", "ERC-20", "transferFrom(address from, address to, uint256 amount)"],
  ["0x23b872dd", "ERC-721", "transferFrom(address from, address to, uint256 tokenId)"],
  ["0x095ea7b3", "ERC-20", "approve(address spender, uint256 amount)", "approval"],
  ["0x095ea7b3", "ERC-721", "approve(address to, uint256 tokenId)"],
  ["0x39509351", "ERC-20", "increaseAllowance(address spender, uint256 addedValue)", "approval"],
  ["0xa457c2d7", "ERC-20", "decreaseAllowance(address spender, uint256 subtractedValue)"],
  ["0x42842e0e", "ERC-721", "safeTransferFrom(address from, address to, uint256 tokenId)"],
  [
    "0xb88d4fde",
    "ERC-721",
    "safeTransferFrom(address from, address to, uint256 tokenId, bytes data)",
  ],
  [
    "0xa22cb465",
    "ERC-721 and ERC-1155",
    "setApprovalForAll(address operator, bool approved)",
    "approvalForAll",
  ],
  [
    "0xf242432a",
    "ERC-1155",
    "safeTransferFrom(address from, address to, uint256 id, uint256 amount, bytes data)",
  ],
  [
    "0x2eb2c2d6",
    "ERC-1155",
    "safeBatchTransferFrom(address from, address to, uint256[] ids, uint256[] amounts, bytes data)",
  ],
  [
    "0xd505accf",
    "ERC-2612",
    "permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)",
    "approval",
  ],
  [
    "0x8fcbaf0c",
    "DAI",
    "permit(address holder, address spender, uint256 nonce, uint256 expiry, bool allowed, uint8 v, bytes32 r, bytes32 s)",
    "approvalForAll",
  ],
  [
    "0x87517c45",
    "Permit2",
    "approve(address token, address spender, uint160 amount, uint48 expiration)",
    "approval",
  ],
  [
    "0x2b67b570",
    "Permit2",
    "permit(address owner, ((address token, uint160 amount, uint48 expiration, uint48 nonce) details, address spender, uint256 sigDeadline) permitSingle, bytes signature)",
    "approval",
  ],
  [
    "0x2a2d80d1",
    "Permit2",
    "permit(address owner, ((address token, uint160 amount, uint48 expiration, uint48 nonce)[] details, address spender, uint256 sigDeadline) permitBatch, bytes signature)",
    "approval",
  ],
  [
    "0x36c78516",
    "Permit2",
    "transferFrom(address from, address to, uint160 amount, address token)",
  ],
  ["0xcc53287f", "Permit2", "lockdown((address token, address spender)[] approvals)"],
  ["0xd0e30db0", "WETH", "deposit()"],
  ["0x2e1a7d4d", "WETH", "withdraw(uint256 amount)"],
  ["0x6e553f65", "ERC-4626", "deposit(uint256 assets, address receiver)"],
  ["0xb460af94", "ERC-4626", "withdraw(uint256 assets, address receiver, address owner)"],
  ["0xba087652", "ERC-4626", "redeem(uint256 shares, address receiver, address owner)"],
  ["0x40c10f19", "token", "mint(address to, uint256 amount)"],
  ["0x42966c68", "token", "burn(uint256 amount)"],
  [
    "0x6a761202",
    "Safe",
    "execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures)",
    "execute",
  ],
  [
    "0x468721a7",
    "Safe",
    "execTransactionFromModule(address to, uint256 value, bytes data, uint8 operation)",
    "execute",
  ],
  [
    "0x5229073f",
    "Safe",
    "execTransactionFromModuleReturnData(address to, uint256 value, bytes data, uint8 operation)",
    "execute",
  ],
  ["0x8d80ff0a", "Safe", "multiSend(bytes transactions)", "multiSend"],
  ["0xd4d9bdcd", "Safe", "approveHash(bytes32 hashToApprove)", "hash"],
  ["0x0d582f13", "Safe", "addOwnerWithThreshold(address owner, uint256 threshold)", "admin"],
  [
    "0xf8dc5dd9",
    "Safe",
    "removeOwner(address prevOwner, address owner, uint256 threshold)",
    "admin",
  ],
  [
    "0xe318b52b",
    "Safe",
    "swapOwner(address prevOwner, address oldOwner, address newOwner)",
    "admin",
  ],
  ["0x694e80c3", "Safe", "changeThreshold(uint256 threshold)", "admin"],
  ["0x610b5925", "Safe", "enableModule(address module)", "admin"],
  ["0xe009cfde", "Safe", "disableModule(address prevModule, address module)", "admin"],
  ["0xe19a9dd9", "Safe", "setGuard(address guard)", "admin"],
  ["0xe068df37", "Safe", "setModuleGuard(address moduleGuard)", "admin"],
  ["0xf08a0323", "Safe", "setFallbackHandler(address handler)", "admin"],
  ["0x7de7edef", "Safe", "changeMasterCopy(address masterCopy)", "admin"],
  [
    "0xb63e800d",
    "Safe",
    "setup(address[] owners, uint256 threshold, address to, bytes data, address fallbackHandler, address paymentToken, uint256 payment, address paymentReceiver)",
    "admin",
  ],
  ["0xf2fde38b", "Ownable", "transferOwnership(address newOwner)", "admin"],
  ["0x715018a6", "Ownable", "renounceOwnership()", "admin"],
  ["0x79ba5097", "Ownable", "acceptOwnership()", "admin"],
  ["0x2f2ff15d", "AccessControl", "grantRole(bytes32 role, address account)", "admin"],
  ["0xd547741f", "AccessControl", "revokeRole(bytes32 role, address account)", "admin"],
  ["0x36568abe", "AccessControl", "renounceRole(bytes32 role, address account)", "admin"],
  ["0x3659cfe6", "UUPS", "upgradeTo(address newImplementation)", "admin"],
  ["0x4f1ef286", "UUPS", "upgradeToAndCall(address newImplementation, bytes data)", "adminCall"],
  ["0x99a88ec4", "ProxyAdmin", "upgrade(address proxy, address implementation)", "admin"],
  [
    "0x9623609d",
    "ProxyAdmin",
    "upgradeAndCall(address proxy, address implementation, bytes data)",
    "adminCall",
  ],
  ["0x8f283970", "proxy", "changeAdmin(address newAdmin)", "admin"],
  ["0x7eff275e", "ProxyAdmin", "changeProxyAdmin(address proxy, address newAdmin)", "admin"],
  ["0xac9650d8", "multicall", "multicall(bytes[] data)", "selfCalls"],
  ["0x5ae401dc", "multicall", "multicall(uint256 deadline, bytes[] data)", "selfCalls"],
  ["0x1f0464d1", "multicall", "multicall(bytes32 previousBlockhash, bytes[] data)", "selfCalls"],
  ["0x252dba42", "Multicall3", "aggregate((address target, bytes callData)[] calls)", "calls"],
  [
    "0xbce38bd7",
    "Multicall3",
    "tryAggregate(bool requireSuccess, (address target, bytes callData)[] calls)",
    "calls",
  ],
  [
    "0x82ad56cb",
    "Multicall3",
    "aggregate3((address target, bool allowFailure, bytes callData)[] calls)",
    "calls",
  ],
  [
    "0x174dea71",
    "Multicall3",
    "aggregate3Value((address target, bool allowFailure, uint256 value, bytes callData)[] calls)",
    "calls",
  ],
  [
    "0x7ff36ab5",
    "Uniswap V2",
    "swapExactETHForTokens(uint256 amountOutMin, address[] path, address to, uint256 deadline)",
  ],
  [
    "0x38ed1739",
    "Uniswap V2",
    "swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline)",
  ],
  [
    "0x04e45aaf",
    "Uniswap V3",
    "exactInputSingle((address tokenIn, address tokenOut, uint24 fee, address recipient, uint256 amountIn, uint256 amountOutMinimum, uint160 sqrtPriceLimitX96) params)",
  ],
];
