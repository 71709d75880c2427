/// The device on which tensors compute.
public enum Device {
    /// The backend of the current task; the CPU unless ``withBackend(_:_:)`` says otherwise.
    ///
    /// A training step, its backward pass and checkpointed blocks that run again are one task on one thread, so all of
    /// them see it. Threads of their own (loops of `parallelFor`, the loader's readers) see the CPU, which prepares data in
    /// memory that every backend reads.
    @TaskLocal public static var backend: any Backend = CPUBackend()

    /// Runs `body` with another backend, in this task alone.
    public static func withBackend<Result>(_ backend: any Backend, _ body: () throws -> Result) rethrows -> Result {
        try $backend.withValue(backend, operation: body)
    }
}
