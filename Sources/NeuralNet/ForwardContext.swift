public import Autograd

/// What every layer of a forward pass may read besides its own input.
///
/// A model sets it for its own pass, also when checkpointed blocks run again, so that a router deep inside sees the text of the
/// very pass that it is part of. A constant of the pass: no gradient reaches it.
public struct ForwardContext {
    /// The pooled embedding of the text, `[B, P]`.
    public var pooledText: Variable?

    /// Collects what layers may read.
    public init(pooledText: Variable? = nil) { self.pooledText = pooledText }

    /// A box that the running task can see; only the thread that runs the pass reads it.
    private final class Box: @unchecked Sendable {
        let context: ForwardContext
        init(_ context: ForwardContext) { self.context = context }
    }

    @TaskLocal private static var box: Box?

    /// The context of the pass that is running; empty outside of one.
    public static var current: ForwardContext { box?.context ?? ForwardContext() }

    /// Runs a forward pass, or a part of one, in this context.
    public func run<Result>(_ body: () throws -> Result) rethrows -> Result {
        try Self.$box.withValue(Box(self), operation: body)
    }
}
