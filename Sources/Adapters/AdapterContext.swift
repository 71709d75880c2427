import Autograd

/// What all adapters of one set share while the model runs.
final class AdapterContext {
    /// The factor on everything the adapters add.
    var strength: Float = 1
    /// The pooled embedding of the instructions, `[B, P]`, for routers that see it.
    var pooledText: Variable?
}
