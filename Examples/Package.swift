// swift-tools-version: 6.2
import PackageDescription

// A package of its own, which uses Diptych's libraries as any other would.

let diptychCore = Target.Dependency.product(name: "DiptychCore", package: "Diptych")
let diptych = Target.Dependency.product(name: "Diptych", package: "Diptych")

let package = Package(
    name: "Examples",
    dependencies: [.package(name: "Diptych", path: "..")],
    targets: [
        .executableTarget(name: "edit-picture", dependencies: [diptych, diptychCore]),
        .executableTarget(name: "train-adapter", dependencies: [diptych, diptychCore]),
        .executableTarget(name: "new-operation", dependencies: [diptychCore]),
        .executableTarget(name: "change-safetensors", dependencies: [diptychCore]),
    ]
)
